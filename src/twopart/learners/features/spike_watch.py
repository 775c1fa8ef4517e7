"""How far the next loss spike is, in any training loop with normalisation layers, and a clamp of the rate that prevents it.

    watch = SpikeWatch(model, optimizer)                # SGD, with momentum or not, Adam, AdamW
    for x, y in batches:                                # loss, zero_grad, backward, and then
        print(watch(lambda: criterion(model(x), y)))    # Forecast(kappa=1.31, onset=42.0, spike=71.0), in steps
        with watch.clamped():                           # optional: a smaller rate for this step where κ is near 2
            optimizer.step()

A weight that is followed by a normalisation has no scale: f(c w) = f(w), hence <w, ∂f/∂w> = 0 (Euler), which is how it is
found in any architecture: a filter before batch normalisation by itself, a matrix before RMSNorm or LayerNorm as a whole, all
that writes to one normalised stream as a group. What acts on it is rate/|w|², and gradient descent leaves its valley where κ,
the rate times the sharpness, passes 2 (docs/laws/delayed-spikes.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import SGD, Adam, AdamW, Optimizer

from twopart._checks import check, check_integer, check_real
from twopart.laws.features.spikes import CLAMP, EDGE

AHEAD = 10_000  # steps that a forecast looks ahead
Groups = Mapping[str, Sequence[str]]


class Forecast(NamedTuple):
    """How far a spike is, in steps; inf: on the present course it does not come."""

    kappa: float
    """The rate times the sharpness, across the weights that have no scale, over 1 + momentum; above 2 the valley is left."""
    onset: float
    """Until κ passes 2; 0: it has."""
    spike: float
    """Until the direction that κ is of, which shrinks below 2 and grows above, is as large as when watching began."""


def effective_rate(
    module: nn.Module, rate: float | Optimizer = 1.0, *, groups: Groups | None = None, tolerance: float = 3e-3
) -> dict[str, Tensor]:
    """rate/|w|² of every weight that a normalisation follows, by its name; call it after `loss.backward()`.

    Shape (rows,) where each row of a weight has no scale, else (1,). `rate` is that of SGD, or an optimizer, whose rates are
    read. `groups` names weights that have no scale only together, as {"stream": ["embed.weight", "blocks.*.out.weight"]}. A
    weight counts where |Σ w g| is below `tolerance` times √Σ (w g)², its size by chance: one in 400 others does. A layer's ε
    over the variance must be less. Raises `InputError` without finite gradients, and for a group that has a scale.
    """
    check(isinstance(module, nn.Module), "module", type(module).__name__, "a torch module", "give the model itself")
    found = [(name, p, p.grad) for name, p in module.named_parameters() if p.grad is not None]
    check(bool(found), "module", "without gradients", "one that has them", "call loss.backward() first")
    given: Any = rate.param_groups if isinstance(rate, Optimizer) else [{"params": module.parameters(), "lr": rate}]
    rates = {p: check_real("rate", group["lr"], 0, math.inf, "that of SGD") for group in given for p in group["params"]}
    free = _scaleless(found, groups, tolerance)
    squares = [p.detach() ** 2 for p in free.weights]
    rated = free.sums(_flat(square * rates.get(p, 0.0) for square, p in zip(squares, free.weights, strict=True)))
    effective = rated / free.sums(_flat(squares)) ** 2
    return {name: effective[place] for name, place in free.places.items()}


@dataclass(eq=False)
class SpikeWatch:
    """See the head of this file."""

    module: nn.Module
    optimizer: Optimizer
    every: int = 1
    """So many steps lie between two looks; a look takes a few gradients of the loss."""
    groups: Groups | None = None
    """As in `effective_rate`, and so is `tolerance`; the first look finds the weights."""
    clamp: float = CLAMP
    """κ at which `clamped` holds the rate, below 2."""
    floor: float | None = None
    """How small the direction gets, as a share of its first size: by default rounding, else the noise of small batches."""
    tolerance: float = 3e-3

    def __post_init__(self) -> None:
        self.history: list[float] = []  # κ at each look
        check(isinstance(self.module, nn.Module), "module", self.module, "a torch module", "give the model itself")
        known = type(self.optimizer) in (SGD, Adam, AdamW) and not self.optimizer.defaults.get("nesterov")
        check(known, "optimizer", self.optimizer, "SGD (not Nesterov's), Adam or AdamW", "the edge of others differs")
        check_integer("every", self.every, 1, None, "1 looks at each step")
        check_real("clamp", self.clamp, 0, EDGE, "at 2 nothing is held", closed="()")
        least = torch.finfo(next(self.module.parameters()).dtype).eps if self.floor is None else self.floor
        self._least = math.log(check_real("floor", least, 0, 1, "it is a share", closed="()"))
        self._free: Any = None
        self._step, self._size, self._used, self._momentum, self._shift = 0, 0.0, 0.0, 0.0, 0.0  # κ = 0: no growth

    def __call__(self, loss: Callable[[], Tensor]) -> Forecast:
        """Note a step, before the optimizer's; `loss()` is that of its batch. Module and gradients stay as they are."""
        self._size = min(0.0, max(self._least, self._size + float(_growth(self._used, self._momentum))))
        if self._step % self.every == 0:
            self.history.append(self._kappa(loss))
        self._used, self._step = self.history[-1], self._step + 1
        return self.forecast()

    def forecast(self) -> Forecast:
        """From the later half of the looks, on which κ is taken to near a limit, or to leave one, as a power."""
        k = self.history[:1] * 2 + self.history
        h = max(1, (len(k) - 1) // 4)
        since = (self._step - 1) % self.every + np.arange(AHEAD)
        ahead = _continued(k[-1 - 2 * h], k[-1 - h], k[-1], since / (h * self.every))
        sizes, past = self._size + np.cumsum(_growth(ahead, self._momentum)), np.flatnonzero(ahead > EDGE)
        sizes -= np.minimum(np.minimum.accumulate(sizes) - self._least, 0)  # it does not fall below the floor
        grown = np.flatnonzero((sizes >= 0) & (ahead > EDGE))
        return Forecast(k[-1], *(float(steps[0]) if len(steps) else math.inf for steps in (past, grown + 1)))

    @contextmanager
    def clamped(self) -> Iterator[float]:
        """Within it rates of groups that hold these weights are lower by clamp/κ where κ is above; gives the factor."""
        check(self._free is not None, "watch", "not called yet", "called before it clamps", "watch(loss) comes first")
        factor, own = min(1.0, self.clamp / max(self.history[-1], 1e-30)), self._free.weights[: self._free.own]
        held = [(g, g["lr"]) for g in self.optimizer.param_groups if set(map(id, own)) & set(map(id, g["params"]))]
        self._used = self.history[-1] * factor
        for group, rate in held:
            group["lr"] = rate * factor
        try:
            yield factor
        finally:
            for group, rate in held:
                group["lr"] = rate

    def _kappa(self, loss: Callable[[], Tensor]) -> float:
        with _untouched(self.module), torch.enable_grad():
            value, named = loss(), [(n, p) for n, p in self.module.named_parameters() if p.requires_grad]
            good = value.ndim == 0 and bool(torch.isfinite(value)) and value.requires_grad
            check(good, "loss", value, "a finite number that depends on the module", "give the mean loss of the batch")
            every = torch.autograd.grad(value, [p for _, p in named], create_graph=True, materialize_grads=True)
            slopes = {p: g for (_, p), g in zip(named, every, strict=True)}
            if self._free is None:
                self._free = _scaleless([(n, p, slopes[p]) for n, p in named], self.groups, self.tolerance)
                self._vector = torch.arange(len(self._free.segment)).sin().to(every[0])
            slope = _flat(slopes[p] for p in self._free.weights)
            sizes, self._momentum = _step_sizes(self.optimizer, self._free.weights, slope.detach())
            return self._sharpness(slope, sizes.sqrt()) / (1 + self._momentum)

    def _sharpness(self, slope: Tensor, root: Tensor, most: int = 100) -> float:
        """The largest eigenvalue of the Hessian with `root` on both sides, by power iteration from where the last one ended."""
        free, v, found = self._free, self._vector, math.inf
        w = _flat(free.weights).detach() / root
        for _ in range(most):
            share = free.sums(w * v) / free.sums(w * w)
            share[-1] = 0  # others have a scale
            v = v - w * share[free.segment]  # along a weight without one nothing happens
            v = v / v.norm()
            turned = _flat(torch.autograd.grad(slope, free.weights, v * root, retain_graph=True)) * root
            before, found = found, float(v @ turned)
            self._shift = max(self._shift, -found)  # the largest is sought, not that of greatest size
            v = turned + self._shift * v
            if abs(found - before) <= 1e-3 * abs(found):
                break
        self._vector = v.detach()
        return found


class _Scaleless(NamedTuple):
    """All weights, end to end, the `own` first of which have no scale; which entries share one; these segments by name."""

    weights: list[Tensor]
    own: int
    segment: Tensor  # shape (entries,); `last` for those that have a scale
    last: int
    places: dict[str, slice]

    def sums(self, values: Tensor) -> Tensor:
        return values.new_zeros(self.last + 1).index_add(0, self.segment, values.detach())


def _scaleless(found: Sequence[tuple[str, Any, Tensor]], groups: Groups | None, tolerance: float) -> _Scaleless:
    check_real("tolerance", tolerance, 0, 1, "it is a share", closed="()")
    by, products = {n: p for n, p, _ in found}, {n: p.detach().double() * g.detach() for n, p, g in found}
    bad = [name for name, product in products.items() if not product.isfinite().all()]
    check(not bad, "module", f"nan or infinite ones of {bad}", "of finite gradients", "see the loss")
    joint = {group: [n for n in by if any(fnmatch(n, p) for p in own)] for group, own in (groups or {}).items()}
    alone = set(by) - {name for members in joint.values() for name in members}
    weights, segment, places, count = [], [], {}, 0
    remedy = "name in `groups` all that writes to a normalised stream, or raise `tolerance`; minima tell nothing"
    for name, members in [*joint.items(), *((name, [name]) for name in by if name in alone)]:
        product = _flat(products[member] for member in members) if members else torch.zeros(1)
        rows = len(by[name]) if name in alone and by[name].ndim > 1 else 1
        parts = next((k for k in (rows, 1) if _free(product.view(k, -1), tolerance)), 0)
        check(parts > 0 or name in alone, "groups", f"{name!r}: {members}", "weights without scale together", remedy)
        if parts:
            places[name] = slice(count, count + parts)
            segment.append(count + torch.arange(parts).repeat_interleave(len(product) // parts))
            weights += [by[member] for member in members]
            count += parts
    check(count > 0, "module", "one without weights that have no scale", "with normalisation layers", remedy)
    others = [by[name] for name in by if not any(by[name] is p for p in weights)]
    segment += [torch.full((p.numel(),), count) for p in others]
    return _Scaleless(weights + others, len(weights), torch.cat(segment).to(weights[0].device), count, places)


def _free(products: Tensor, tolerance: float) -> bool:
    """Whether each row of w g sums to 0, in units of what its sum is by chance, meaned over rows."""
    size = products.square().sum(1).mean().sqrt()
    return bool((products.sum(1).abs() <= tolerance * size).all() & (size > 0))


def _flat(parts: Iterable[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


def _step_sizes(optimizer: Optimizer, weights: list[Tensor], slope: Tensor) -> tuple[Tensor, float]:
    """By what each weight moves for a gradient of 1, and the share of a step that the next one repeats."""
    groups = {p: group for group in optimizer.param_groups for p in group["params"]}
    sizes, momentum = [], 0.0
    for p, g in zip(weights, torch.split(slope, [p.numel() for p in weights]), strict=True):
        check(p in groups, "optimizer", "without some of the module's weights", "over all", "give it all parameters")
        group, state = groups[p], optimizer.state.get(p, {})
        if "betas" in group:
            momentum, second = map(float, group["betas"])
            share = 1 - second ** float(state.get("step", 0))
            square = state["exp_avg_sq"].flatten() / share if state else g.square().mean().expand_as(g)
            sizes.append((1 - momentum) / (square.sqrt() + group["eps"]) * group["lr"])
        else:
            momentum = float(group["momentum"])
            sizes.append(torch.full_like(g, group["lr"] * (1 - group["dampening"] * (momentum > 0))))
    return torch.cat(sizes), momentum


def _growth(kappa: Any, momentum: float) -> Any:
    """Log of the factor by which a step multiplies a direction of that κ in the long run: of z² - b z + momentum."""
    b = 1 + momentum - kappa * (1 + momentum)
    root = np.sqrt(np.maximum(b * b - 4 * momentum, 0))
    with np.errstate(divide="ignore"):
        return np.log(np.maximum((np.abs(b) + root) / 2, math.sqrt(momentum)))


def _continued(first: float, middle: float, last: float, ahead: Any) -> Any:
    """κ after `ahead` further intervals of three that are as far apart: limit + C ρ^t, or a line where ρ is 1."""
    before, now = middle - first, last - middle
    if now <= 0 or before <= 0 or abs(now - before) < 1e-9 * now:
        return last + max(now, 0.0) * ahead
    limit = last + now * now / (before - now)
    return limit + (last - limit) * np.exp(np.minimum(ahead * math.log(now / before), 300))


@contextmanager
def _untouched(module: nn.Module) -> Iterator[None]:
    """A pass that leaves running averages and random numbers be, with attention that can be differentiated twice."""
    kept = [(buffer, buffer.clone()) for buffer in module.buffers()]
    with torch.random.fork_rng({p.device for p in module.parameters() if p.is_cuda}), sdpa_kernel(SDPBackend.MATH):
        yield
    for buffer, before in kept:
        buffer.copy_(before)
