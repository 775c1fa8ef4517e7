"""Anybody's in-context model, asked in batches: `model(examples, labels, query) -> scores`, a torch module or a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from twopart._arrays import Floats, finite_tensor
from twopart._checks import check, check_integer
from twopart.worlds.in_context.prompts import Prompts

Model = Callable[[Any, Any, Any], Any]
"""From examples (B, N, d), labels (B, N) and queries (B, d) to scores (B,): of tensors if it is a torch module or takes them,
of float64 arrays otherwise. A score is the answer itself (regression), or positive for the class +1."""


def answers(
    model: Model,
    prompts: Prompts,
    *,
    batch: int = 256,
    tensors: bool | None = None,
    lengths: Sequence[int] | None = None,
) -> Floats:
    """What the model says to each query, shape (T,); at most `batch` prompts are held by it at once.

    With `lengths`, rising, shape (T, len(lengths)): what it says after only the first so many examples. A model that has
    `read(examples, labels, state) -> state`, from None on, and `ask(state, query) -> scores` reads each example once.
    A torch module gets tensors of its own type on its own device, is asked in evaluation mode without gradients, and is left
    as it was. `tensors` says what a plain function takes: by default arrays. Raises `InputError` for answers of another shape
    or that are not finite.
    """
    size = check_integer("batch", batch, 1, None, "it is the number of prompts at once")
    module = model if isinstance(model, nn.Module) else None
    like = next((p for p in module.parameters() if p.is_floating_point()), None) if module is not None else None
    as_tensors = module is not None if tensors is None else tensors

    def sent(values: Floats) -> Any:
        if not as_tensors:
            return values
        copied = torch.tensor(values)  # contexts that repeat themselves are read-only views
        return copied.to(torch.get_default_dtype()) if like is None else copied.to(like)

    was_training = module is not None and module.training
    upto = [prompts.x.shape[1]] if lengths is None else list(lengths)
    fits = len(upto) > 0 and upto == sorted(set(upto)) and upto[0] >= 1 and upto[-1] <= prompts.x.shape[1]
    check(fits, "lengths", lengths, f"rising in 1..{prompts.x.shape[1]}", "prompts have no more examples")
    found = np.empty((len(prompts), len(upto)))
    try:
        if module is not None:
            module.eval()
        with torch.no_grad():
            for start in range(0, len(prompts), size):
                part = slice(start, start + size)
                asked = sent(prompts.x[part]), sent(prompts.y[part]), sent(prompts.query[part])
                for k, said in enumerate(_said(model, *asked, upto)):
                    found[part, k] = _checked(said, len(found[part]))
    finally:
        if module is not None:
            module.train(was_training)
    return found[:, 0] if lengths is None else found


def check_prompts(x: Tensor, y: Tensor, query: Tensor, dimension: int) -> None:
    """Refuse what a module of that dimension cannot be asked; it is x (B, n, d), y (B, n), query (B, d)."""
    if x.dim() != 3 or x.shape[2] != dimension or y.shape != x.shape[:2] or query.shape != (len(x), dimension):
        finite_tensor("x", x, (None, None, dimension), "prompts, their examples, dimensions of the model")
        finite_tensor("y", y, tuple(x.shape[:2]), "a label for each example")
        finite_tensor("query", query, (len(x), dimension), "one for each prompt")


class AsModel(nn.Module):
    """A module with other inputs and outputs as an in-context model: `readout(module(inputs(x, y, query))) -> scores`.

    `inputs` makes its argument, or a mapping of named ones (such as `inputs_embeds`), from tensors of its own type and device;
    `readout` gets what it returns, whole, and gives scores (B,).
    """

    def __init__(
        self, module: nn.Module, inputs: Callable[[Tensor, Tensor, Tensor], Any], readout: Callable[[Any], Tensor]
    ) -> None:
        super().__init__()
        self.module, self.inputs, self.readout = module, inputs, readout

    def forward(self, x: Tensor, y: Tensor, query: Tensor) -> Tensor:
        given = self.inputs(x, y, query)
        return self.readout(self.module(**given) if isinstance(given, Mapping) else self.module(given))


def _said(model: Any, x: Any, y: Any, query: Any, upto: list[int]) -> Iterator[Any]:
    if len(upto) == 1 or not (hasattr(model, "read") and hasattr(model, "ask")):
        yield from (model(x[:, :n], y[:, :n], query) for n in upto)
        return
    state, done = None, 0
    for n in upto:
        state, done = model.read(x[:, done:n], y[:, done:n], state), n
        yield model.ask(state, query)


def _checked(said: Any, count: int) -> Floats:
    scores = said.detach().double().cpu().numpy() if isinstance(said, Tensor) else np.asarray(said, np.float64)
    check(
        scores.shape == (count,), "model", scores.shape, f"one that answers with shape ({count},)", "squeeze its output"
    )
    check(bool(np.isfinite(scores).all()), "model", "answers that are nan or infinite", "finite", "see its weights")
    return scores
