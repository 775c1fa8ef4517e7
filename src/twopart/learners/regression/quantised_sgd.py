"""Training in few bits: what is rounded, SGD on least squares so, many runs at once, and hooks for a torch module.

few = Quantisation(data=StochasticRounding(0.1), parameter="bf16")      # names are formats, to nearest
w = quantised_sgd(x, y, few, schedule=0.3, replicates=100)              # one pass over (n, d) and (n,), shape (100, d)
law = precision_risk(moments, few.noise(moments), rate=0.3, steps=n)    # and what theory says of it
net = wrap(net, Quantisation(data="fp8_e4m3", parameter="fp8_e4m3", gradient="fp8_e5m2"))   # your module, trained so
store(optimizer, quantise("bf16", stochastic=True))                     # what it keeps of the weights after each step
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn.utils import parametrize

from twopart._checks import check
from twopart.laws.regression.precision import Noise
from twopart.learners.regression.quantisers import BlockFloat, Dither, Quantiser, ScalarNoise, quantise
from twopart.learners.regression.walk import check_batches, walk
from twopart.worlds.regression.sketch import SecondMoments

Format = str | Quantiser | None
DRAWS = 20_000  # of the noise of data that are not rounded number by number
LAYERS = nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d


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

    def noise(self, moments: SecondMoments) -> Noise:
        """What the law needs to know, for Gaussian features of these moments.

        Exact for `ScalarNoise` and `Dither`, by quadrature for data rounded number by number, for blocks by 20,000 draws. Where
        the error hangs on weights (all but `Dither`), it is that at the scale that SGD converges to.
        """
        given = {field.name: by for field in fields(self) if (by := getattr(self, field.name)) is not None}
        data, sizes = given.pop("data", None), {name: np.sqrt(square) for name, square in moments.squares.items()}
        found: dict[str, Any] = {name: float(np.mean(by.variance(sizes[name]))) for name, by in given.items()}
        if isinstance(data, ScalarNoise):
            found["scalar"] = data.eps
        elif isinstance(data, Dither):
            found["additive"] = data.variance(1.0)
        elif isinstance(data, BlockFloat):
            random = np.random.default_rng(0)
            x = random.standard_normal((DRAWS, len(moments.root))) @ moments.root[:-1].T
            off = data(x, random) - x
            found["covariance"] = off.T @ off / DRAWS
        elif data is not None:
            found["covariance"] = data.variance(sizes["data"])
        return Noise(**found)


def quantised_sgd(
    x: Any,
    y: Any,
    quantisation: Quantisation = Quantisation(),
    *,
    schedule: ArrayLike | None = None,
    batch: int = 1,
    replicates: int = 1,
    seed: int = 0,
) -> Any:
    """The weights after one pass from 0, shape (R, d); the runs differ in the order of the samples and in how they are rounded.

    `x` (n, d) and `y` (n,) are NumPy arrays or torch tensors, float32 or float64, and decide the kind and place of the result.
    `schedule`: the rate of each step (the last batch may be smaller), or one number, from which it is halved every
    steps / log2(steps) steps; None begins at 1 over the mean of ‖x‖². Raises `InputError` for wrong shapes, ranges and nan.
    """

    def step(w: Tensor, x: Tensor, y: Tensor, rate: float, random: torch.Generator) -> None:
        quantised_sgd_step(w, x, y, rate, quantisation, random)

    runs: dict[str, Any] = {"batch": batch, "steps": None, "start": None, "replicates": replicates, "seed": seed}
    return walk(x, y, step, "quantised sgd", schedule=schedule, **runs)


@torch.no_grad()
def quantised_sgd_step(
    w: Tensor, x: Tensor, y: Tensor, rate: float, quantisation: Quantisation, generator: torch.Generator | None = None
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


class _Through(nn.Module):
    """Rounds, and passes gradients as if it did not."""

    def __init__(self, by: Format, generator: torch.Generator | None) -> None:
        super().__init__()
        self.by, self.generator = by, generator

    def forward(self, x: Tensor) -> Any:
        if not isinstance(self.by, Quantiser):
            return x
        own = x.detach()
        return self.by(own, self.generator) + (x - own).nan_to_num()  # nothing is added, but a gradient passes


def wrap(module: nn.Module, quantisation: Quantisation, *, generator: torch.Generator | None = None) -> nn.Module:
    """The module, changed in place: inputs (`data`), weights, outputs and outputs' gradients of its layers are rounded.

    Layers are linear ones and convolutions. Gradients pass through rounding as if it were not there. Weights are a
    `torch.nn.utils.parametrize` parametrization, so that the optimizer's are exact; `parametrize.remove_parametrizations` takes
    it away. `label` is the loss's, `stored` the optimizer's (`store`). Raises `InputError` if there is no such layer.
    """
    q, found = quantisation, [part for part in module.modules() if isinstance(part, LAYERS)]
    check(q.label is q.stored is None, "quantisation", q, "without label and stored", "round labels; see `store`")
    check(bool(found), "module", type(module).__name__, "one with linear layers or convolutions", "wrap another")
    read, given = _Through(q.data, generator), _Through(q.activation, generator)

    def before(layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return read(inputs[0]), *inputs[1:]

    def after(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        output = given(output)
        if isinstance(q.gradient, Quantiser) and output.requires_grad:
            output.register_hook(lambda gradient: q.gradient(gradient, generator))  # type: ignore[no-untyped-call]
        return output

    for layer in found:
        layer.register_forward_pre_hook(before)
        layer.register_forward_hook(after)
        if q.parameter is not None:
            parametrize.register_parametrization(layer, "weight", _Through(q.parameter, generator), unsafe=True)
    return module


def store(optimizer: torch.optim.Optimizer, by: str | Quantiser, *, generator: torch.Generator | None = None) -> Any:
    """Round the weights after each step, by which updates below half of a step are lost unless it is by chance.

    Returns the hook's handle; `.remove()` ends it.
    """
    quantiser = quantise(by)

    @torch.no_grad()
    def after(*_: Any) -> None:
        for weight in chain.from_iterable(group["params"] for group in optimizer.param_groups):
            weight.copy_(quantiser(weight, generator))

    return optimizer.register_step_post_hook(after)
