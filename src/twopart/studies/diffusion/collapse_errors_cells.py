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
from itertools import count, product
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
from twopart.learners.diffusion import Line, MLPDenoiser, error_by_noise, line_density, train_denoisers
from twopart.learners.diffusion.samplers import Predict, pure_noise, sample
from twopart.learners.diffusion.two_stage import TwoStage
from twopart.studies.diffusion import collapse_errors as study
from twopart.studies.diffusion.collapse_errors import Learned, Linear, Networks, Shared, Weighed, level
from twopart.worlds.noise import OU, grid
from twopart.worlds.noised import noised, oracle
from twopart.worlds.targets import MixtureTarget, Target

CLOCK = OU()
STOP = 1e-3
LEVELS = torch.linspace(-6, 6, 13, dtype=torch.float64)
Tick = Callable[..., None]


def ticking(cell: Cell, total: int) -> Tick:
    """Says at each call that one more of `total` steps is done."""
    done = count(1)
    return lambda *_: cell.progress(next(done), total)


def drawn_by(
    predict: Predict, times: Tensor, shape: tuple[int, ...], cell: Cell, *purpose: str | int, tick: Tick | None = None,
    solver: Any = "euler", churn: float = 0.0,
) -> Tensor:  # fmt: skip
    """Samples from pure noise along `times`."""
    random = cell.generator(*purpose)
    start = pure_noise(CLOCK, times, shape, generator=random, device=cell.device)
    return sample(predict, CLOCK, times, start, solver=solver, churn=churn, generator=random, on_step=tick)


def flow(case: Linear, cell: Cell) -> pl.DataFrame:
    """The error of the log variance, and the one that these steps have by law."""
    planted, (low, high) = case.planted, case.band
    how: Any = {"solver": case.solver, "churn": case.churn}
    times, shape = grid(CLOCK, planted.steps, planted.ends), (case.replicates, planted.draws)
    variance = planted.variance * math.exp(-2 * planted.stop) - math.expm1(-2 * planted.stop)

    def bias(t: float) -> float:
        return case.bias * (low <= level(t) < high)

    def predict(x: Tensor, t: Tensor) -> Tensor:
        s2 = -math.expm1(-2 * float(t))
        return x * (math.sqrt(s2) * (1 + bias(float(t))) / (math.exp(-2 * float(t)) * planted.variance + s2))

    x = drawn_by(predict, times, shape, cell, "samples", tick=ticking(cell, planted.steps), **how)
    by_steps = gaussian_flow(0, planted.variance, times.numpy(), CLOCK, bias=bias, **how)
    moved = (x.double().var(1) / variance).log()
    steps = math.log(float(by_steps.variance[-1, 0]) / variance)
    return pl.DataFrame({"replicate": np.arange(case.replicates), "error": moved.numpy(force=True), "steps": steps})


def share(case: Shared, cell: Cell) -> pl.DataFrame:
    """Excess losses of shared features by the weight of low noise."""
    weights, networks, rows = np.geomspace(1e-3, 1e3, 13), case.networks, []
    for replicate in range(case.replicates):
        random = cell.generator("features", replicate)
        features = torch.randn(3, case.features, generator=random)
        A, a = half(networks, networks.split, level(STOP), features, random)
        B, b = half(networks, networks.first, networks.split, features, random)
        found = see_saw(A.T @ A, A.T @ a, B.T @ B, B.T @ b, weights)
        rows.append(pl.DataFrame({"replicate": replicate, "weight": weights, "low": found.low, "high": found.high}))
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
    networks: Networks, target: Target, cell: Cell, kind: str, many: int, tick: Tick, *,
    ends: tuple[float, float] | None = None, part: float = 1.0, skip: Any = "none", weight: Any = "eps",
) -> list[nn.Module]:  # fmt: skip
    """Networks of all replicates, `ends` the noise that they are trained at: as much of the steps, or a part, as of noise."""
    whole = (networks.first, level(STOP))
    low, high = ends or whole
    steps = max(2, int(part * networks.training * (high - low) / (whole[1] - whole[0])))
    shape: Any = {"width": networks.width, "depth": 2, "skip": skip}
    std = float(target.covariance.diagonal().mean().sqrt())
    weights, training = (int(_random.keys(cell.seed, 1, purpose, kind)[0] >> 1) for purpose in ("weights", "training"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights)
        made = [MLPDenoiser(target.dimension, CLOCK, data_std=std, **shape).to(cell.device) for _ in range(many)]
    return list(train_denoisers(
        made, target, CLOCK, steps=steps, batch=networks.batch, rate=networks.rate, log_snr=(low, high), data_std=std,
        weight=weight, seed=training, on_step=tick,
    ).denoisers)  # fmt: skip


def weigh(case: Weighed, cell: Cell) -> pl.DataFrame:
    """Errors by noise of networks that saw the same samples with another weight."""
    target, tick = comb(case.networks), ticking(cell, case.networks.training // 2)

    def weight(log_snr: Tensor) -> Tensor:
        return torch.where(log_snr >= case.networks.split, case.weight, 1.0)

    models = trained(case.networks, target, cell, "weighed", case.replicates, tick, part=0.5, weight=weight)
    return errors(models, target, cell).with_columns(weight=pl.lit(float(case.weight)))


def errors(models: list[Any], target: Target, cell: Cell, **labels: Any) -> pl.DataFrame:
    truth = oracle(target, CLOCK, "eps")
    found = [error_by_noise(model, truth, target, CLOCK, LEVELS, seed=cell.seed + i) for i, model in enumerate(models)]
    return long("error", {"error": torch.stack(found), "log_snr": LEVELS}, **labels)


def learn(case: Learned, cell: Cell) -> pl.DataFrame:
    """Networks and remedies of all replicates; their errors, samples, neighbours and densities."""
    networks, drawn, target, R = case.networks, case.drawn, comb(case.networks), case.replicates
    joint, two, skip, edm, exact, above = study.JOINT, study.TWO, study.SKIP, study.EDM, study.EXACT, study.ABOVE
    split, last = networks.split, level(STOP)
    tick = ticking(cell, 4 * networks.training + R * len(case.runs) * case.steps)
    kinds: dict[str, dict[str, Any]] = {
        joint: {}, "low": {"ends": (split, last)}, "high": {"ends": (networks.first, split)},
        skip: {"skip": "residual"}, edm: {"skip": "edm", "weight": "edm"},
    }  # fmt: skip
    nets: dict[str, list[Any]] = {
        kind: trained(networks, target, cell, kind, R, tick, **o) for kind, o in kinds.items()
    }
    nets[exact] = [oracle(target, CLOCK, "eps")] * R
    pairs = {two: ("low", "high"), exact: (exact, exact)} | {name: (name, name) for name in (joint, skip, edm)}
    pairs |= {name: (joint, kind) for name, kind in zip(above, ("high", skip, edm, exact), strict=True)}
    made = {
        name: [TwoStage(*pair, split, CLOCK) for pair in zip(nets[low], nets[high], strict=True)]
        for name, (low, high) in pairs.items()
    }
    rows = [errors(models, target, cell, name=name) for name, models in made.items()]
    times, law = grid(CLOCK, case.steps, (networks.first, last)), noised(target, STOP, CLOCK)
    for replicate, (name, χ) in product(range(R), case.runs):
        data, model, line = law.sample(drawn.points, cell.seed, replicate), made[name][replicate], None
        labels = {"replicate": replicate, "name": name, "churn": float(χ)}
        x = drawn_by(model, times, tuple(data.shape), cell, "start", replicate, tick=tick, churn=χ)
        if χ == 0:
            line, found = density(model, times, drawn.points + 1, law, data)
            if name == joint:
                more = drawn_by(model, times, (drawn.more, 1), cell, "more", replicate)
                found["histogram"] = from_histogram(more[:, 0].double().numpy(force=True), law)
            rows.append(pl.DataFrame([{"axis": "density", **labels, **found}]))
        for row in tails(case, replicate, x, data, line if name == joint else None, law):
            rows.append(pl.DataFrame([{"axis": "tail", **labels, **row}]))
    cell.progress(1, 1)
    return pl.concat(rows, how="diagonal")


def tails(
    case: Learned, replicate: int, x: Tensor, data: Tensor, line: Line | None, law: Target
) -> Iterator[dict[str, float]]:
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
            seen = {"tail": found.difference.value, "median": found.median[0], "law": float(γ[0] - γ[1])}
            yield {"radius": float(factor), "top": top, **seen}


def draw(line: Line, count: int, random: np.random.Generator) -> Floats:
    """Points (count, 1) of a law on the line: places at even levels of its distribution function."""
    levels = np.concatenate([[0.0], np.cumsum(line.mass)])
    return np.asarray(np.interp(random.random(count) * levels[-1], levels, line.places)[:, None])


def density(model: nn.Module, times: Tensor, count: int, law: Target, data: Tensor) -> tuple[Line, dict[str, float]]:
    """The ODE's law on the line; its divergence from the noised data, and how much denser samples are than data."""
    double = copy.deepcopy(model).double()
    line = line_density(double, CLOCK, times, points=count, dtype=torch.float64, solver="euler")
    middle, logs = (line.places[1:] + line.places[:-1]) / 2, line.log_density
    kl = float(line.mass @ (logs - law.log_density(torch.from_numpy(middle)[:, None]).numpy()))
    return line, {"kl": kl, "denser": float(line.mass @ logs - np.interp(data[:, 0], middle, logs).mean())}


def from_histogram(x: Floats, law: Target, bins: int = 1600) -> float:
    """Divergence of the law of samples from `law`, by counts, with Miller's correction of (bins - 1)/2n nats."""
    edges = np.linspace(x.min() - 1e-9, x.max() + 1e-9, bins + 1)
    fine = torch.from_numpy(np.linspace(edges[0], edges[-1], 4 * bins + 1))[:, None]
    log_p = law.log_density((fine[1:] + fine[:-1]) / 2).reshape(bins, 4).logsumexp(1).numpy()
    log_p += math.log((edges[1] - edges[0]) / 4)
    share = np.histogram(x, edges)[0] / len(x)
    kept = share > 0
    return float(share[kept] @ (np.log(share[kept]) - log_p[kept])) - (int(kept.sum()) - 1) / (2 * len(x))
