"""What the heads of anybody's transformer are for: loss without each, how many a layer uses, what layers know on the way.

    importance = head_importance(model, batches)       # layer, head, increase of the loss without it, low, high
    heads_used(importance)                             # {"layers.0.out_proj": 4.7, ...}: effective numbers
    small = prune(model, {"layers.1.out_proj": [2]})   # a copy in which that layer has only its head 2
    probe(model, batches, ["layers.0", "layers.1"])    # risk of a linear readout after each

A head is removed *before* the output projection mixes it with others: hooks put zeros, or means, in its slice of what goes in.
Layers are named by that projection (or the `nn.MultiheadAttention`), with their heads, as `find_heads` does. A batch is a tuple
(*inputs, targets), or a mapping of named arguments, as for models of Hugging Face.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
import polars as pl
import torch
from scipy.stats import t as student
from torch import Tensor, nn

from twopart._arrays import finite
from twopart._checks import check, check_choice, check_integer
from twopart.learners.in_context.attention_parts import find_heads
from twopart.learners.in_context.hooks import asked, caught

Layers = Mapping[str, int]
Loss = Callable[[nn.Module, Any], Tensor]


def head_importance(
    module: nn.Module, batches: Iterable[Any], loss: Loss | None = None, layers: Layers | None = None,
    *, ablation: str = "zero",
) -> pl.DataFrame:  # fmt: skip
    """How much the loss rises without each head: layer, head, increase, and low and high of its 95% interval over losses.

    `loss(module, batch)` is one of each example or of the batch; None: squared error, or the output's `loss` for mappings.
    `layers` None: found. `ablation` "mean" leaves a head its mean over the tokens of the batch. The module is asked in
    evaluation mode and left as it was. Raises `InputError` for names and numbers of heads that do not fit, and too few losses.
    """
    check_choice("ablation", ablation, ("zero", "mean"))
    known, given, of = _known(module, layers), list(batches), loss or squared_error

    def losses() -> Tensor:
        parts = [of(module, batch).reshape(-1).double().cpu() for batch in given]
        return torch.cat([torch.zeros(0), *parts])

    rows = []
    with asked(module):
        full = losses()
        check(len(full) >= 2, "batches", f"{len(full)} losses", "at least 2", "give more, or a `loss` of each example")
        reach = float(student.ppf(0.975, len(full) - 1)) / len(full) ** 0.5
        for name, head in ((name, head) for name, count in known.items() for head in range(count)):
            with _edited(module, name, known[name], head, ablation == "mean"):
                rise = losses() - full
            mean, error = float(rise.mean()), reach * float(rise.std())
            rows.append((name, head, mean, mean - error, mean + error))
    return pl.DataFrame(rows, ["layer", "head", "increase", "low", "high"], orient="row")


def heads_used(importance: pl.DataFrame) -> dict[str, float]:
    """By layer the effective number of heads, exp of the entropy of their shares of the increases: 1 if one does all.

    A head without which the loss falls counts as 0; nan for a layer whose heads all do.
    """
    used = {}
    for (name,), part in importance.group_by("layer", maintain_order=True):
        rise = np.maximum(finite("importance", part["increase"].to_numpy(), (None,), "an increase for each head"), 0)
        share = rise[rise > 0] / rise.sum() if rise.any() else np.array([np.nan])
        used[str(name)] = float(np.exp(-(share * np.log(share)).sum()))
    return used


@torch.no_grad()
def prune(module: nn.Module, keep: Mapping[str, Sequence[int]], layers: Layers | None = None) -> nn.Module:
    """A copy of the module whose layers named in `keep` have only those heads: the others' weights in the projection are 0."""
    known, copied = _known(module, layers), deepcopy(module)
    for name, heads in keep.items():
        check(name in known, "keep", name, "a layer of " + ", ".join(known), "see find_heads")
        kept, part = {check_integer("keep", h, 0, known[name] - 1, name) for h in heads}, copied.get_submodule(name)
        projection: Any = part.out_proj if isinstance(part, nn.MultiheadAttention) else part
        weight = projection.weight if isinstance(projection, nn.Linear) else projection.weight.T  # as GPT-2's
        for head in set(range(known[name])) - kept:
            weight[:, _slice(weight.shape[1], known[name], head)] = 0
    return copied


def probe(
    module: nn.Module, batches: Iterable[Any], layers: Sequence[str],
    read: Callable[[Tensor], Tensor] = lambda tokens: tokens[:, -1],
) -> dict[str, float]:  # fmt: skip
    """By layer the mean squared error of a linear readout of what it gives, fitted on every other example, of the rest.

    `layers` are dotted names; `read` makes (B, features) of an output, by default its last token's. Targets, the last of a
    batch, are (B,). The penalty is 1e-6 of the features' mean square.
    """
    target, risks = [torch.zeros(0)], {}
    with asked(module), caught(module, layers, read) as found:
        for batch in batches:
            _call(module, batch)
            target.append(torch.as_tensor(batch[-1]).double().cpu())
    y = finite("batches", torch.cat(target), (None,), "give some, with numbers to foretell")
    for name, rows in found.items():
        x = np.c_[finite("read", np.concatenate(rows), (len(y), None), "one row for each example"), np.ones(len(y))]
        gram = x[::2].T @ x[::2]
        w = np.linalg.solve(gram + 1e-6 * np.trace(gram) / len(gram) * np.eye(len(gram)), x[::2].T @ y[::2])
        risks[name] = float(np.square(x[1::2] @ w - y[1::2]).mean())
    return risks


def squared_error(module: nn.Module, batch: Any) -> Tensor:
    """Of each example, (B,), the mean over its answers; of a mapping the `loss` of the output."""
    said = _call(module, batch)
    if isinstance(batch, Mapping):
        return torch.as_tensor(said.loss)
    aim = torch.as_tensor(batch[-1]).to(said)
    check(said.shape == aim.shape, "batches", tuple(aim.shape), f"with targets {tuple(said.shape)}", "or give `loss`")
    loss: Tensor = (said - aim).square().reshape(len(said), -1).mean(1)
    return loss


def _call(module: nn.Module, batch: Any) -> Any:
    return module(**batch) if isinstance(batch, Mapping) else module(*batch[:-1])


def _known(module: nn.Module, layers: Layers | None) -> dict[str, int]:
    parts = dict(module.named_modules())
    for name, count in (layers or {}).items():
        check(name in parts, "layers", name, "the name of a module in it", "see named_modules()")
        check_integer("layers", count, 1, None, f"it is the number of heads of {name}")
    return find_heads(module) if layers is None else dict(layers)


def _slice(width: int, count: int, head: int) -> slice:
    check(width % count == 0, "layers", count, f"numbers of heads that divide {width}", "they lie side by side")
    return slice(head * width // count, (head + 1) * width // count)


@contextmanager
def _edited(module: nn.Module, name: str, count: int, head: int, mean: bool) -> Iterator[None]:
    """The module without that head."""
    part = module.get_submodule(name)

    def edit(heads: Tensor) -> Tensor:
        at, heads = _slice(heads.shape[-1], count, head), heads.clone()
        heads[..., at] = heads[..., at].flatten(0, -2).mean(0) if mean else 0
        return heads

    with ExitStack() as undo:
        if isinstance(part, nn.MultiheadAttention):  # never calls its projection: let that do nothing, and come after
            project = deepcopy(part.out_proj)
            for now, then in zip(part.out_proj.parameters(), project.parameters(), strict=True):
                undo.callback(setattr, now, "data", now.data)
                now.data = torch.eye(len(then)).to(then) if then.dim() == 2 else torch.zeros_like(then)
            handle = part.register_forward_hook(lambda _m, _a, out: (project(edit(out[0])), *out[1:]))
        else:
            handle = part.register_forward_pre_hook(lambda _m, args: (edit(args[0]), *args[1:]))
        undo.callback(handle.remove)
        yield
