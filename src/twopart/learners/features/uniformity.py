"""How uniform are a classifier's margins, and those of its batch-normalised channels, patch by patch?

    margins(module, x, y)                      # (n, C, P): y z of the last normalised layer's channels, before γ, at P places
    report = uniformity(model, x, y)           # of any classifier, from its logits
    report.spread                              # D / mean m² of the margins m: 0 if all are one, 2 if they cancel
    report.layers["3"]                         # the same of each channel of the layer of that name
    report.uniform(0.01)                       # which channels have come to uniform margins

With batch normalisation gradient descent comes to uniform margins, without it to the largest: docs/laws/batch-norm-bias.md.
z are the inputs of a layer, normalised by the statistics of all points given, as in training with one batch of all: give the
whole training set. Running statistics are neither used nor changed. A channel's sign is free, as a later layer may turn it;
it is taken such that its mean margin is positive.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from twopart._arrays import finite_tensor
from twopart._checks import check, check_real

NORMS = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True, eq=False)
class MarginReport:
    """Of n points; D = (1/n²) Σ_ik (z_i - z_k)², of channels as the `spread` is over the mean of z²."""

    margins: Tensor
    """The logit of the label less the largest other, in units of the model, shape (n,)."""
    layers: dict[str, Tensor]
    """D of each channel over points and places, shape (C,), by the name of the layer; nan where a channel is constant."""

    @property
    def spread(self) -> float:
        """D of the margins over their mean square: as that of normalised ones."""
        return float(2 * self.margins.var(correction=0) / self.margins.square().mean())

    def uniform(self, below: float = 0.01) -> dict[str, list[int]]:
        """The channels of each layer whose D is below."""
        check_real("below", below, 0, 2, "D is 2 where margins cancel", closed="(]")
        return {name: torch.nonzero(d < below)[:, 0].tolist() for name, d in self.layers.items()}


def margins(module: nn.Module, x: Tensor, y: Tensor, layer: str | None = None, *, centred: bool = True) -> Tensor:
    """y z of a batch-normalised layer, named as in `module.named_modules()` (None: the last), before γ: shape (n, C, P).

    x (n, ...) are all training points, y (n,) labels of two classes or more, whole numbers; P counts the places or patches of
    a channel, 1 in flat layers. `centred` z are those of PyTorch, less their mean; without it they are h/√(mean h² + ε), the
    theory's. With more than two classes a point's sign is that of its class's mean. Raises `InputError` where no such layer is
    run once, and for shapes and numbers that do not fit.
    """
    inputs, labels, _ = _run("module", module, x, y)
    check(bool(inputs), "module", type(module).__name__, "one with a layer of batch normalisation", "see `uniformity`")
    name = list(inputs)[-1] if layer is None else layer
    check(name in inputs, "layer", name, f"one of {list(inputs)}", "those that are run once")
    return _margins(*inputs[name], labels, centred)


def uniformity(model: nn.Module, x: Tensor, y: Tensor, *, centred: bool = True) -> MarginReport:
    """Margins of any torch classifier, from logits (n,), (n, 1) (of the larger class) or (n, K), and of its normalised layers.

    With K logits labels are 0 to K - 1. Arguments are those of `margins`; raises `InputError` as it does.
    """
    inputs, labels, out = _run("model", model, x, y)
    if out.ndim == 1 or out.shape[1:] == (1,):
        check(int(labels.max()) == 1, "y", "more than two classes", "two for one logit", "a logit for each class")
        out = out.reshape(-1, 1) * out.new_tensor([-0.5, 0.5])
    K, fits = (out.shape or (1,))[-1], out.ndim == 2 and len(out) == len(x)
    check(fits, "model", tuple(out.shape), "of one or K logits a point", "see its output")
    own = (y.long() if K > 2 else labels)[:, None].to(out.device)
    check(int(own.min()) >= 0 and int(own.max()) < K, "y", own.flatten().tolist()[:5], f"in 0..{K - 1}", "as logits")
    found = out.gather(1, own)[:, 0] - out.scatter(1, own, -torch.inf).amax(1)
    channels = {name: _margins(*given, labels, centred) for name, given in inputs.items()}
    layers = {name: 2 * z.var((0, 2), correction=0) / z.square().mean((0, 2)) for name, z in channels.items()}
    return MarginReport(found, layers)


def _run(
    called: str, module: nn.Module, x: Tensor, y: Tensor
) -> tuple[dict[str, tuple[Tensor, float]], Tensor, Tensor]:
    """Inputs and ε of the layers that are run once, classes, and logits, float64; the module stays as it is."""
    check(isinstance(module, nn.Module), called, type(module).__name__, "a torch module", "wrap the function in one")
    finite_tensor("x", x, (None,) * max(1, getattr(x, "ndim", 1)), "points (n, ...)")
    labels = _classes(y, len(x)).to(x.device)
    copy, inputs = deepcopy(module).eval(), dict[str, list[tuple[Tensor, float]]]()
    for name, part in copy.named_modules():
        if isinstance(part, NORMS):
            part.train()
            found = inputs.setdefault(name, [])
            part.register_forward_pre_hook(lambda part, given, found=found: found.append((given[0].double(), part.eps)))
    with torch.no_grad():
        out = copy(x)
    check(isinstance(out, Tensor), called, f"one of {type(out).__name__}", "of tensors as outputs", "wrap it")
    check(bool(out.isfinite().all()), called, "outputs that are nan or infinite", "finite", "see its weights")
    return {name: found[0] for name, found in inputs.items() if len(found) == 1}, labels, out.double()


def _classes(y: Tensor, n: int) -> Tensor:
    """Labels as 0..K-1."""
    whole = isinstance(y, Tensor) and y.shape == (n,) and not y.is_complex() and bool((y.double() % 1 == 0).all())
    given = f"{type(y).__name__} {tuple(getattr(y, 'shape', ()))}"
    check(whole, "y", given, f"a tensor of {n} whole numbers, a class for each point", "see its type and shape")
    labels: Tensor
    classes, labels = torch.unique(y, return_inverse=True)
    check(len(classes) > 1, "y", classes.tolist(), "of two classes or more", "margins need another class")
    return labels


def _margins(h: Tensor, epsilon: float, labels: Tensor, centred: bool) -> Tensor:
    h = h.flatten(2) if h.ndim > 2 else h[..., None]
    n, K = len(labels), int(labels.max()) + 1
    check(len(h) % n == 0, "layer", len(h), f"one of {n} points, or of patches of these", "name another")
    # the layer's points may have been our points' patches, in turn
    h = h.reshape(n, -1, *h.shape[1:]).transpose(1, 2).flatten(2)
    h = h - h.mean((0, 2), keepdim=True) if centred else h
    z = h / (h.square().mean((0, 2), keepdim=True) + epsilon).sqrt()
    if K == 2:
        z = z * (2 * labels - 1)[:, None, None]
        return z * (1 - 2 * (z.mean((0, 2), keepdim=True) < 0))
    turned = torch.stack([z[labels == k].mean((0, 2)) for k in range(K)]) < 0
    return z * (1 - 2 * turned[labels][..., None])
