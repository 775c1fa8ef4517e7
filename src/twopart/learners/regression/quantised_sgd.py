"""Training in few bits: what is rounded, SGD on least squares so, many runs at once, and hooks for a torch module.

few = Quantisation(data=StochasticRounding(0.1), parameter="bf16")      # names are formats, to nearest
w = quantised_sgd(x, y, few, schedule=0.3, replicates=100)              # one pass over (n, d) and (n,), shape (100, d)
law = precision_risk(moments, few.noise(moments), rate=0.3, steps=n)    # and what theory says of it
net = wrap(net, Quantisation(data="fp8_e4m3", parameter="fp8_e4m3", gradient="fp8_e5m2"))   # your module, trained so
store(optimizer, "bf16", stochastic=True)                               # what it keeps of the weights after each step
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn.utils import parametrize

from twopart._checks import check, check_integer
from twopart._random import seed_sequence
from twopart.laws.regression.precision import Noise
from twopart.learners.regression.quantisers import Dither, Quantiser, ScalarNoise, quantise
from twopart.learners.regression.walk import check_batches, walk
from twopart.worlds.regression.sketch import SecondMoments

Format = str | Quantiser | None
DRAWS = 20_000


@dataclass(frozen=True)
class Quantisation:
    """What is rounded, and how: each a quantiser, the name of a format, or None. Names become quantisers."""

    data: Format = None
    """The inputs, each time they are read."""
    label: Format = None
    parameter: Format = None
    """The weights as a step reads them."""
    activation: Format = None
    """The outputs."""
    gradient: Format = None
    """The outputs' gradients, before they meet the inputs."""
    stored: Format = None
    """The weights as a step writes them."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if (given := getattr(self, field.name)) is not None:
                object.__setattr__(self, field.name, quantise(given))

    def noise(self, moments: SecondMoments, *, seed: int = 0) -> Noise:
        """What the law needs to know, for Gaussian features of these moments.

        Exact for `ScalarNoise` and `Dither`, by quadrature for data rounded number by number, for other data (blocks) by 20,000
        draws. Where the error hangs on weights (all but `Dither`), it is that at the scale that SGD converges to.
        """
        H, found, data = moments.covariance, dict[str, Any](), cast(Quantiser | None, self.data)
        if isinstance(data, ScalarNoise):
            found["scalar"] = data.eps
        elif isinstance(data, Dither):
            found["additive"] = data.variance(1.0)
        elif data is not None and type(data)._variance is not Quantiser._variance:
            found["covariance"] = data.variance(np.sqrt(np.diag(H)))
        elif data is not None:
            random = np.random.default_rng(seed_sequence(seed, "quantisation noise"))
            x = random.standard_normal((DRAWS, len(H) + 1)) @ moments.root[:-1].T
            off = data(x, random) - x
            found["covariance"] = off.T @ off / DRAWS
        v = np.linalg.lstsq(H, moments.cross, rcond=None)[0]
        output = float(v @ H @ v)
        sizes: dict[str, Any] = {"label": moments.power, "activation": output, "gradient": moments.power - output}
        for name, square in {**sizes, "parameter": v**2, "stored": v**2}.items():
            if (q := getattr(self, name)) is not None:
                found[name] = float(np.mean(q.variance(np.sqrt(np.maximum(square, 0)))))
        return Noise(**found)


def quantised_sgd(
    x: Any,
    y: Any,
    quantisation: Quantisation = Quantisation(),
    *,
    schedule: ArrayLike | None = None,
    batch: int = 1,
    epochs: int = 1,
    start: Any = None,
    replicates: int = 1,
    seed: int = 0,
) -> Any:
    """The weights after `epochs` passes, shape (R, d); the runs differ in the order of the samples and in how they are rounded.

    `x` (n, d) and `y` (n,) are NumPy arrays or torch tensors, float32 or float64, and decide the kind and place of the result.
    `schedule`: the rate of each step (the last batch of a pass may be smaller), or one number, from which it is halved every
    steps / log2(steps) steps; None begins at 1 over the mean of ‖x‖². Raises `InputError` for wrong shapes, ranges and nan.
    """
    check_integer("batch", batch, 1, None, "1 is plain SGD")
    steps = check_integer("epochs", epochs, 0, None, "0 gives the start") * math.ceil(len(x) / batch)

    def step(w: Tensor, x: Tensor, y: Tensor, rate: float, random: torch.Generator) -> None:
        quantised_sgd_step(w, x, y, rate, quantisation, random)

    given: dict[str, Any] = {"schedule": schedule, "batch": batch, "start": start, "replicates": replicates}
    return walk(x, y, step, "quantised sgd", **given, steps=steps, seed=seed)


@torch.no_grad()
def quantised_sgd_step(
    w: Tensor,
    x: Tensor,
    y: Tensor,
    rate: float,
    quantisation: Quantisation,
    generator: torch.Generator | None = None,
) -> None:
    """One step of R runs in place: weights (R, d), batches x (R, b, d) and y (R, b); only shapes are checked."""
    check_batches(w, x, y)

    def rounded(part: Tensor, by: Format) -> Tensor:
        return by(part, generator) if isinstance(by, Quantiser) else part

    q = quantisation
    x = rounded(x, q.data)
    output = rounded((x @ rounded(w, q.parameter)[:, :, None])[:, :, 0], q.activation)
    push = rounded(output - rounded(y, q.label), q.gradient)
    w.sub_((push[:, None] @ x)[:, 0], alpha=rate / x.shape[1])
    if q.stored is not None:
        w.copy_(rounded(w, q.stored))


class _Through(torch.autograd.Function):
    """Rounds on the way forward, passes gradients as they are, or rounded by a quantiser of their own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, forward: Format, backward: Format, generator: torch.Generator | None) -> Tensor:
        ctx.backward_by, ctx.generator = backward, generator
        return forward(x, generator) if isinstance(forward, Quantiser) else x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        by = ctx.backward_by
        return (by(gradient, ctx.generator) if isinstance(by, Quantiser) else gradient), None, None, None


class _Rounded(nn.Module):
    """A parametrization: the weight as it is read."""

    def __init__(self, by: Format, generator: torch.Generator | None) -> None:
        super().__init__()
        self.by, self.generator = by, generator

    def forward(self, weight: Tensor) -> Tensor:
        return _Through.apply(weight, self.by, None, self.generator)  # type: ignore[no-any-return, no-untyped-call]


LAYERS: tuple[type[nn.Module], ...] = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def wrap(
    module: nn.Module,
    quantisation: Quantisation | str,
    *,
    layers: tuple[type[nn.Module], ...] = LAYERS,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """The module, changed in place: its layers' inputs (`data`), weights, outputs, outputs' gradients are rounded.

    Gradients pass through rounding as if it were not there. One name of a format rounds data and parameters. Weights are a
    `torch.nn.utils.parametrize` parametrization, so that the optimizer's are exact; `parametrize.remove_parametrizations` takes
    it away. `label` is the loss's, `stored` the optimizer's (`store`). Raises `InputError` if there is no such layer.
    """
    q = Quantisation(data=quantisation, parameter=quantisation) if isinstance(quantisation, str) else quantisation
    check(q.label is q.stored is None, "quantisation", q, "without label and stored", "round labels; see `store`")
    found = [part for part in module.modules() if isinstance(part, layers)]
    names = ", ".join(layer.__name__ for layer in layers)
    check(bool(found), "module", type(module).__name__, f"one with layers of {names}", "name others in `layers`")
    for part in found:
        if q.data is not None:
            part.register_forward_pre_hook(lambda _, x: (_Through.apply(x[0], q.data, None, generator), *x[1:]))  # type: ignore
        if q.parameter is not None:
            parametrize.register_parametrization(part, "weight", _Rounded(q.parameter, generator), unsafe=True)
        if q.activation is not None or q.gradient is not None:
            part.register_forward_hook(lambda *a: _Through.apply(a[-1], q.activation, q.gradient, generator))  # type: ignore
    return module


def store(
    optimizer: torch.optim.Optimizer,
    format: str | Quantiser,
    *,
    stochastic: bool = False,
    generator: torch.Generator | None = None,
) -> Any:
    """Round the weights after each step, by which updates below half of a step are lost unless it is by chance.

    Returns the hook's handle; `.remove()` ends it.
    """
    by = quantise(format, stochastic=stochastic)

    def after(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        with torch.no_grad():
            for group in optimizer.param_groups:
                for weight in group["params"]:
                    weight.copy_(by(weight, generator))

    return optimizer.register_step_post_hook(after)
