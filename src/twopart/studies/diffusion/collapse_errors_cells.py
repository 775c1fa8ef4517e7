"""The cells of the collapse study: Gaussians with a planted error, shared features, and networks of all seeds at once.

Rows of networks are told apart by the column `axis`:
    error     by `name` and `log_snr`: square error of eps from the perfect denoiser's
    tail      by `name`, `churn`, `radius` and `top`: difference of tail indices, its law, neighbours of a median sample
    density   by `name`, for the ODE: divergence from the noised data, exact and by histogram, and E ln p̂ of samples less data
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from twopart import _random
from twopart._arrays import Floats
from twopart.evidence import long
from twopart.fits.concentration import hill, neighbours, tail_index_difference
from twopart.lab import Cell
from twopart.laws.diffusion.collapse import see_saw
from twopart.laws.gaussian_flow import gaussian_flow
from twopart.learners.diffusion import (
    Line,
    MLPDenoiser,
    error_by_noise,
    line_density,
    pure_noise,
    sample,
    train_denoisers,
)
from twopart.learners.diffusion.two_stage import TwoStage
from twopart.studies.diffusion.collapse_errors import (
    ABOVE,
    EDM,
    EXACT,
    JOINT,
    SKIP,
    TWO,
    Learned,
    Linear,
    Networks,
    Shared,
    Weighed,
    level,
)
from twopart.worlds.noise import OU, grid
from twopart.worlds.noised import noised, oracle
from twopart.worlds.targets import MixtureTarget, Target

CLOCK = OU()
STOP = 1e-3
LEVELS = torch.linspace(-6, 6, 13, dtype=torch.float64)


def flow(case: Linear, cell: Cell) -> pl.DataFrame:
    """The error of the log variance, and the one that these steps have by law."""
    planted, (low, high) = case.planted, case.band
    times = grid(CLOCK, planted.steps, planted.ends)
    variance = planted.variance * math.exp(-2 * planted.stop) - math.expm1(-2 * planted.stop)

    def bias(t: float) -> float:
        return case.bias * (low <= level(t) < high)

    def predict(x: Tensor, t: Tensor) -> Tensor:
        s2 = -math.expm1(-2 * float(t))
        return x * (math.sqrt(s2) * (1 + bias(float(t))) / (math.exp(-2 * float(t)) * planted.variance + s2))

    random = cell.generator("samples")
    start = pure_noise(CLOCK, times, (case.replicates, planted.draws), generator=random, device=cell.device)
    solver: Any = case.solver
    x = sample(
        predict, CLOCK, times, start, solver=solver, churn=case.churn, generator=random,
        on_step=lambda i, _: cell.progress(i, planted.steps),
    )  # fmt: skip
    by_steps = gaussian_flow(0, planted.variance, times.numpy(), CLOCK, solver=solver, churn=case.churn, bias=bias)
    moved = (x.double().var(1) / variance).log()
    steps = math.log(float(by_steps.variance[-1, 0]) / variance)
    return pl.DataFrame({"replicate": np.arange(case.replicates), "error": moved.numpy(force=True), "steps": steps})


def share(case: Shared, cell: Cell) -> pl.DataFrame:
    """Excess losses of shared features by the weight of low noise, and that at high noise by least squares on the rows."""
    weights, networks, rows = np.geomspace(1e-3, 1e3, 13), case.networks, []
    for replicate in range(case.replicates):
        random = cell.generator("features", replicate)
        features = torch.randn(3, case.features, generator=random)
        A, a = half(networks, networks.split, level(STOP), features, random)
        B, b = half(networks, networks.first, networks.split, features, random)
        found = see_saw(A.T @ A, A.T @ a, B.T @ B, B.T @ b, weights)
        best = np.linalg.lstsq(B, b, rcond=None)[0]
        stacks = ((np.r_[w**0.5 * A, B], np.r_[w**0.5 * a, b]) for w in weights)
        squares = [float(np.square(B @ (np.linalg.lstsq(M, m, rcond=None)[0] - best)).sum()) for M, m in stacks]
        frame = {"weight": weights, "low": found.low, "high": found.high, "squares": squares}
        rows.append(pl.DataFrame(frame).with_columns(replicate=pl.lit(replicate)))
        cell.progress(replicate + 1, case.replicates)
    return pl.concat(rows)


def half(
    networks: Networks, low: float, high: float, features: Tensor, random: torch.Generator, n: int = 2000
) -> tuple[Floats, Floats]:
    """Features (n, p) and targets (n,) at noise levels between the two, over the root of n."""
    x0 = comb(networks).sample(n, random.initial_seed() >> 1, int(low > networks.first)).float()[:, 0]
    at, eps = low + (high - low) * torch.rand(n, generator=random), torch.randn(n, generator=random)
    t = CLOCK.time(at)
    x = CLOCK.scale(t) * x0 + CLOCK.std(t) * eps
    seen = torch.tanh(2 * x[:, None] * features[0] + at[:, None] / 4 * features[1] + features[2])
    return seen.double().numpy() / n**0.5, eps.double().numpy() / n**0.5


def comb(networks: Networks) -> MixtureTarget:
    """Five modes of one width, 0.7 apart."""
    return MixtureTarget(torch.ones(5), torch.linspace(-1.4, 1.4, 5, dtype=torch.float64)[:, None], networks.scale)


def trained(
    networks: Networks, target: Target, cell: Cell, kind: str, count: int, report: Callable[[int], None], *,
    ends: tuple[float, float] | None = None, part: float = 1.0, **options: Any,
) -> tuple[nn.Module, ...]:  # fmt: skip
    """Networks of all replicates, `ends` the noise that they are trained at: as much of the steps, or a part, as of noise."""
    whole = (networks.first, level(STOP))
    low, high = ends or whole
    steps = max(2, int(part * networks.training * (high - low) / (whole[1] - whole[0])))
    std = float(target.covariance.diagonal().mean().sqrt())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(_random.keys(cell.seed, 1, "weights", kind)[0] >> 1))
        made = [
            MLPDenoiser(
                target.dimension, CLOCK, width=networks.width, depth=2, skip=options.get("skip", "none"), data_std=std
            ).to(cell.device)
            for _ in range(count)
        ]
    return train_denoisers(
        made, target, CLOCK, steps=steps, batch=networks.batch, rate=networks.rate, log_snr=(low, high), data_std=std,
        weight=options.get("weight", "eps"), seed=int(_random.keys(cell.seed, 1, "training", kind)[0] >> 1),
        on_step=lambda i, _: report(i + 1),
    ).denoisers  # fmt: skip


def weigh(case: Weighed, cell: Cell) -> pl.DataFrame:
    """Errors by noise of networks that saw the same samples with another weight."""
    target, steps = comb(case.networks), case.networks.training // 2

    def weight(log_snr: Tensor) -> Tensor:
        return torch.where(log_snr >= case.networks.split, case.weight, 1.0)

    models = trained(
        case.networks,
        target,
        cell,
        "weighed",
        case.replicates,
        lambda i: cell.progress(i, steps),
        part=0.5,
        weight=weight,
    )
    return errors(list(models), target, cell).with_columns(weight=pl.lit(float(case.weight)))


def errors(models: list[Any], target: Target, cell: Cell, **labels: Any) -> pl.DataFrame:
    truth = oracle(target, CLOCK, "eps")
    found = [error_by_noise(model, truth, target, CLOCK, LEVELS, seed=cell.seed + i) for i, model in enumerate(models)]
    return long("error", {"error": torch.stack(found), "log_snr": LEVELS}, **labels)


def learn(case: Learned, cell: Cell) -> pl.DataFrame:
    """Networks and remedies of all replicates; their errors, samples, neighbours and densities."""
    networks, drawn, target, R = case.networks, case.drawn, comb(case.networks), case.replicates
    split, last = networks.split, level(STOP)
    clock = Clock(cell, 4 * networks.training + R * len(case.runs) * case.steps)
    kinds: dict[str, dict[str, Any]] = {
        JOINT: {}, "low": {"ends": (split, last)}, "high": {"ends": (networks.first, split)},
        SKIP: {"skip": "residual"}, EDM: {"skip": "edm", "weight": "edm"},
    }  # fmt: skip
    nets = {kind: trained(networks, target, cell, kind, R, clock.tick, **options) for kind, options in kinds.items()}
    truth = Perfect(target)
    pairs = {TWO: ("low", "high"), ABOVE[0]: (JOINT, "high"), ABOVE[1]: (JOINT, SKIP), ABOVE[2]: (JOINT, EDM)}
    made: dict[str, list[nn.Module]] = {name: list(nets[name]) for name in (JOINT, SKIP, EDM)}
    for name, (low, high) in pairs.items():
        made[name] = [TwoStage(*pair, split, CLOCK) for pair in zip(nets[low], nets[high], strict=True)]
    made |= {ABOVE[3]: [TwoStage(net, truth, split, CLOCK) for net in nets[JOINT]], EXACT: [truth] * R}
    rows = [errors(models, target, cell, name=name) for name, models in made.items()]
    times, law = grid(CLOCK, case.steps, (networks.first, last)), noised(target, STOP, CLOCK)
    for replicate in range(R):
        data = law.sample(drawn.points, cell.seed, replicate)
        for name, χ in case.runs:
            model, random = made[name][replicate], cell.generator("start", replicate)
            start = pure_noise(CLOCK, times, tuple(data.shape), generator=random, device=cell.device)
            x = sample(
                model, CLOCK, times, start, solver="euler", churn=χ, generator=random, on_step=lambda *_: clock.tick()
            )
            line, found = density(case, cell, (name, replicate), model, times, law, data) if χ == 0 else (None, None)
            if found:
                rows.append(pl.DataFrame([{"replicate": replicate, "axis": "density", "name": name, **found}]))
            rows += tails(case, replicate, name, χ, x, data, line if name == JOINT else None, law)
    cell.progress(1, 1)
    return pl.concat(rows, how="diagonal")


def tails(
    case: Learned, replicate: int, name: str, churn: float, x: Tensor, data: Tensor, line: Line | None, law: Target
) -> Iterator[pl.DataFrame]:
    """At every radius and share; on the line the ODE's by draws from its exact law, too."""
    drawn, random = case.drawn, np.random.default_rng(replicate)
    points, reference = x.double().numpy(force=True), data.numpy()
    usual = tail_index_difference(points, reference).radius
    own = [] if line is None else [draw(line, drawn.points, random) for _ in range(drawn.redrawn)]
    other = [law.sample(drawn.points, replicate, 1 + i).numpy() for i in range(len(own))]
    for factor in drawn.radii:
        counts = [[np.maximum(neighbours(part, factor * usual), 1) for part in side] for side in (own, other)]
        for top in drawn.tops:
            found = tail_index_difference(points, reference, radius=factor * usual, top=top)
            k = round(top * len(points))
            γ = [np.mean([hill(part, k) for part in side]) if side else math.nan for side in counts]
            row = {"replicate": replicate, "axis": "tail", "name": name, "churn": float(churn), "radius": float(factor)}
            seen = {"top": top, "tail": found.difference.value, "median": found.median[0], "law": float(γ[0] - γ[1])}
            yield pl.DataFrame([{**row, **seen}])


def draw(line: Line, count: int, random: np.random.Generator) -> Floats:
    """Points (count, 1) of a law on the line: places at even levels of its distribution function."""
    levels = np.concatenate([[0.0], np.cumsum(line.mass)])
    return np.asarray(np.interp(random.random(count) * levels[-1], levels, line.places)[:, None])


def density(
    case: Learned, cell: Cell, key: tuple[str, int], model: nn.Module, times: Tensor, law: Target, data: Tensor
) -> tuple[Line, dict[str, float]]:
    """The ODE's law on the line; its divergence from the noised data, exact and from a histogram of fresh samples; and how
    much denser samples are than data.
    """
    steps: Any = {"solver": "euler"}
    fine: Any = {"points": case.drawn.points + 1, "dtype": torch.float64}
    line = line_density(copy.deepcopy(model).double(), CLOCK, times, **fine, **steps)
    middle, logs = (line.places[1:] + line.places[:-1]) / 2, line.log_density
    kl = float(line.mass @ (logs - law.log_density(torch.from_numpy(middle)[:, None]).numpy()))
    histogram = math.nan
    if key[0] == JOINT:
        random = cell.generator("more", key[1])
        start = pure_noise(CLOCK, times, (case.drawn.more, 1), generator=random, device=cell.device)
        histogram = from_histogram(sample(model, CLOCK, times, start, **steps)[:, 0].double().numpy(force=True), law)
    denser = float(line.mass @ logs - np.interp(data[:, 0], middle, logs).mean())
    return line, {"kl": kl, "histogram": histogram, "denser": denser}


def from_histogram(x: Floats, law: Target, bins: int = 1600) -> float:
    """Divergence of the law of samples from `law`, by counts, with Miller's correction of (bins - 1)/2n nats."""
    edges = np.linspace(x.min() - 1e-9, x.max() + 1e-9, bins + 1)
    fine = torch.from_numpy(np.linspace(edges[0], edges[-1], 4 * bins + 1))[:, None]
    log_p = law.log_density((fine[1:] + fine[:-1]) / 2).reshape(bins, 4).logsumexp(1).numpy()
    log_p += math.log((edges[1] - edges[0]) / 4)
    share = np.histogram(x, edges)[0] / len(x)
    kept = share > 0
    return float(share[kept] @ (np.log(share[kept]) - log_p[kept])) - (int(kept.sum()) - 1) / (2 * len(x))


class Perfect(nn.Module):
    """The perfect denoiser as a module."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.ask = oracle(target, CLOCK, "eps")

    def forward(self, x: Tensor, t: Tensor | float) -> Tensor:
        return self.ask(x, t)


class Clock:
    """Progress over parts of a cell."""

    def __init__(self, cell: Cell, total: int) -> None:
        self.cell, self.total, self.done = cell, total, 0

    def tick(self, *_: Any) -> None:
        self.done += 1
        self.cell.progress(self.done, self.total)
