"""The cells of the study of quantised transitions: samples with exact and with learned scores, and laws of whole arrays.

Rows are told apart by the column `axis`:
    run     of a replicate: evaluations, flips, truncated, and how far its samples are from a law
    band    of a network: remaining, and the least and the greatest ratio over all states
    a name  of a race: evaluations, tv
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise, product
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twopart import _random
from twopart.lab import Cell
from twopart.laws.sampling import bit_diffusion as law
from twopart.learners.sampling.bit_diffusion import (
    BitDenoiser,
    Quantizer,
    Ratios,
    Trajectory,
    on_all_states,
    posterior_ratios,
    train_bits,
    uniformize,
)
from twopart.studies.sampling.quantized_transition import (
    BAND,
    MODES,
    RADIUS,
    SCALE,
    WEIGHTS,
    Certified,
    Coded,
    Exact,
    Raced,
    Real,
    Sampled,
    Setting,
    Trained,
)
from twopart.worlds.noise import OU
from twopart.worlds.noised import oracle
from twopart.worlds.quantized import CODES, QuantizedTarget
from twopart.worlds.targets import MixtureTarget

Floats = NDArray[np.float64]
HORIZONS, STOPS = (1.0, 1.5, 2.5), np.geomspace(0.0005, 0.3, 10)
"""Among which Euler with times of its own chooses."""
SUBCELLS = 2**20


def mixture(dimension: int) -> MixtureTarget:
    signs = (-1.0) ** np.arange(dimension)
    return MixtureTarget(WEIGHTS, np.outer(MODES, signs), scales=SCALE)


def world(setting: Setting) -> QuantizedTarget:
    return QuantizedTarget(mixture(setting.dimension), setting.bits, RADIUS)


def sample(case: Sampled, cell: Cell) -> pl.DataFrame:
    """Samples with exact scores, and how far from their law as many exact draws are."""
    truth, n = world(case.setting), case.sampling.samples
    thinned = case.rate == "thinned"
    run = reverse(truth.ratios, case.segments, n, cell, thinned=thinned)
    found = counted(run)
    if truth.total <= law.LARGEST:
        random, q = _random.generator(cell.seed, "floor"), truth.mass
        p = law.generated(q, case.segments.horizon, case.segments.stop)
        floor = [law.tv(draw / n, p) for draw in random.multinomial(n, p / p.sum(), case.sampling.draws)]
        at = histogram(run.bits)
        found |= {
            "tv": law.tv(at, p),
            "tv_data": law.tv(at, q),
            "floor": np.mean(floor),
            "spread": np.std(floor, ddof=1),
        }
    else:
        found |= dict.fromkeys(("tv", "tv_data", "floor", "spread"))
    return pl.DataFrame({"axis": "run", **found})


def take_apart(case: Exact, cell: Cell) -> pl.DataFrame:
    """The error of the generated law, and its parts."""
    truth, (T, stop) = world(case.setting), (case.segments.horizon, case.segments.stop)
    made = law.errors(truth.mass, T, stop)
    density = density_tv(truth, law.generated(truth.mass, T, stop))
    cell.progress(1, 1)
    return pl.DataFrame({"total": made.total, "early": made.early_stop, "start": made.start, "density": density})


def certify(case: Certified, cell: Cell) -> pl.DataFrame:
    """TV of the generated density from the mixture at d = 1, with the theorem's cells and times."""
    target = mixture(1)
    spread = math.sqrt(
        SCALE**2 + (max(MODES) - min(MODES)) ** 2 / 4
    )  # Hoeffding: a mean in an interval, and a Gaussian
    bends = max(abs(float(bound)) for bound in target.hessian_bounds())
    moment = float(target.covariance + target.mean.square())
    made = law.theorem(1, case.eps, hessian=bends, sigma=spread, second_moment=moment)
    truth = QuantizedTarget(target, made.bits, made.radius)
    segments = law.schedule(made.bits, made.horizon, made.stop)
    density = density_tv(truth, law.generated(truth.mass, segments.horizon, segments.stop))
    cell.progress(1, 1)
    return pl.DataFrame({"bits": made.bits, "density": density})


def density_tv(truth: QuantizedTarget, made: Floats) -> float:
    """TV of the mixture from masses spread evenly over cells, by masses of cells halved again and again up to 2^20 in all."""
    d, finer = truth.dimension, max(1, min(8, int((math.log2(SUBCELLS) - truth.total) / truth.dimension)))
    fine = QuantizedTarget(truth.target, truth.bits + finer, truth.radius)
    shape = (2**truth.bits, 2**finer) * d
    even = made.reshape((2**truth.bits, 1) * d) / 2 ** (finer * d)
    inside = np.abs(fine.mass.reshape(shape) * fine.inside - even).sum()
    return float(inside + 1 - fine.inside) / 2


def race(case: Raced, cell: Cell) -> pl.DataFrame:
    """Uniformisation and Euler steps of the same chain, all by exact laws, and a continuous diffusion by samples."""
    q, segments = world(case.setting).mass, case.segments
    B, budget = case.setting.total, law.evaluations(segments)
    rows = [("QTD", budget, law.errors(q, segments.horizon, segments.stop).total), *at_theorem(q, B), *frontier(q, B)]
    shares, total = (0.25, 0.5, 1, 2, 4), 7 + len(case.steps)
    for i, share in enumerate(shares):
        n = round(share * budget)
        for spaced, at_once in product((np.linspace, np.geomspace), (False, True)):
            made = law.euler(q, spaced(segments.horizon, segments.stop, n + 1), at_once)
            rows.append(("Euler, same times", n, law.tv(q, made)))
        cell.progress(i + 1, total)
    for i, n in enumerate(case.steps):
        ways = (np.geomspace(T, stop, n + 1) for T, stop in product(HORIZONS, STOPS))
        rows.append(("Euler, best times", n, min(law.tv(q, law.euler(q, times)) for times in ways)))
        rows.append(("reverse SDE", n, law.tv(q, continuous(case, n, cell.seed))))
        cell.progress(len(shares) + i + 1, total)
    cell.progress(1, 1)
    return pl.DataFrame(rows, schema=["axis", "evaluations", "tv"], orient="row").cast({"evaluations": pl.Float64})


def at_theorem(q: Floats, bits: int) -> Iterator[tuple[str, float, float]]:
    """QTD at the theorem's horizon and stop, over ε."""
    for eps in np.geomspace(0.8, 0.005, 12):
        segments = law.schedule(bits, *law.theorem_times(bits, eps))
        tv = law.errors(q, segments.horizon, segments.stop).total
        yield "QTD, theorem's times", law.evaluations(segments), tv


def frontier(q: Floats, bits: int) -> Iterator[tuple[str, float, float]]:
    """The least TV of QTD within each number of evaluations, over horizons and stops."""
    tried: dict[str, list[tuple[float, float]]] = {"QTD, best times": [], "QTD thinned, best times": []}
    for T, stop in product((0.7, 1.0, 1.5, 2.0, 3.0), np.geomspace(0.001, 0.3, 30)):
        segments = law.schedule(bits, T, stop)
        tv = law.errors(q, segments.horizon, segments.stop).total
        for name, thinned in zip(tried, (False, True), strict=True):
            tried[name].append((law.evaluations(segments, thinned), tv))
    for name, pairs in tried.items():
        best = math.inf
        for cost, tv in sorted(pairs):
            if tv < 0.95 * best:
                best = tv
                yield name, cost, tv


def continuous(case: Raced, steps: int, seed: int, stop: float = 1e-3) -> Floats:
    """The histogram of Euler-Maruyama on the reverse of dx = -x dt + √2 dw, in geometric steps from time 4."""
    target, generator = mixture(case.setting.dimension), torch.Generator().manual_seed(seed)
    score, d = oracle(target, OU()), case.setting.dimension
    x = torch.randn(case.samples, d, generator=generator, dtype=torch.float64)
    times = np.geomspace(4.0, stop, steps + 1)
    for t, after in pairwise(times):
        h = t - after
        x = x + h * (x + 2 * score(x, t)) + math.sqrt(2 * h) * torch.randn(x.shape, generator=generator, dtype=x.dtype)
    cube = Quantizer.fit(x, case.setting.bits, RADIUS)
    return histogram(cube.encode(x))


def compare_codes(case: Coded, cell: Cell) -> pl.DataFrame:
    """What the early stop and the start cost under each code, exactly and at first order."""
    rows = []
    for i, code in enumerate(CODES):
        q = QuantizedTarget(mixture(1), case.bits, RADIUS, code, case.seed).mass
        made = law.errors(q, case.horizon, case.stop)
        first = case.stop * law.early_stop_rate(q), math.exp(-4 * case.horizon) * law.start_rate(q)
        rows.append((code, made.early_stop, first[0], made.start_kl, first[1]))
        cell.progress(i + 1, len(CODES))
    return pl.DataFrame(rows, schema=["code", "early_stop", "first_order", "start_kl", "single_bits"], orient="row")


def train(case: Trained, cell: Cell) -> pl.DataFrame:
    """A network, the exact law of what it generates, samples of it, and the range of its ratios."""
    truth, segments = world(case.setting), case.segments
    torch.manual_seed(cell.seed % 2**32)
    model = BitDenoiser(truth.total, case.training.width)
    fit(model, truth.sample(case.samples, cell.seed), case, cell)
    at = on_all_states(model.ratios, truth.total)
    made = law.learned(at, truth.mass, segments.horizon, segments.stop)
    run = reverse(model.ratios, segments, case.samples, cell, done=0.5)
    found = counted(run) | {"kl": made.kl, "bound": made.bound, "entropy": made.score_entropy}
    found["tv"] = law.tv(made.law, law.diffused(truth.mass, segments.stop))
    remaining = np.geomspace(segments.horizon, segments.stop, 25)
    both = [(law.ratios(truth.mass, u), at(u)) for u in remaining]
    ends = np.array([[r.min(), r.max(), s.min(), s.max()] for r, s in both])
    band = pl.DataFrame({"axis": "band", "remaining": remaining, **dict(zip(BAND, ends.T, strict=True))})
    return pl.concat([pl.DataFrame({"axis": "run", **found}), band], how="diagonal_relaxed")


def imitate(case: Real, cell: Cell) -> pl.DataFrame:
    """A network of real data, and how its samples compare with them."""
    quantizer, data = load(case.data)
    bits, B, segments = quantizer.encode(data), quantizer.total, case.segments
    torch.manual_seed(cell.seed % 2**32)
    width = case.training.width
    model = BitDenoiser(B, width) if case.training.denoiser == "mlp" else ColumnTransformer(case.setting, width)
    fit(model, bits, case, cell)
    run = reverse(posterior_ratios(model), segments, case.samples, cell, done=0.5)
    random = _random.generator(cell.seed, "rows")
    real, made = (quantizer.decode(of).double().numpy() for of in (bits, run.bits))
    again = real[random.integers(len(real), size=case.samples)]
    found = counted(run) | {"columns": columns_tv(real, made), "resampled": columns_tv(real, again)}
    found["correlation"] = correlation_error(real, made)
    found["shuffled"] = correlation_error(real, random.permuted(real, axis=0))
    return pl.DataFrame({"axis": "run", **found})


def load(name: str) -> tuple[Quantizer, Floats]:
    """178 wines by 13 measurements, and 1797 images of 64 pixels, of whose 17 grey levels the two brightest become one."""
    from sklearn import datasets

    if name == "wine":
        x = datasets.load_wine().data
        return Quantizer.fit(x, 4), x
    return Quantizer.levels(64, 4), np.minimum(datasets.load_digits().data, 15)


class ColumnTransformer(nn.Module):
    """Columns as tokens: their bits and the time in, logits of their clean bits out, to which the noisy bits' own are added."""

    def __init__(self, setting: Setting, width: int):
        super().__init__()
        self.shape = columns, bits = setting.dimension, setting.bits
        self.read, self.place = nn.Linear(bits + 2, width), nn.Parameter(0.1 * torch.randn(columns, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, batch_first=True, norm_first=True)
        self.blocks, self.write = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False), nn.Linear(width, bits)

    def forward(self, bits: Tensor, remaining: Tensor) -> Tensor:
        x, u = 2 * bits.to(self.place) - 1, remaining.to(self.place)[:, None]
        time = torch.cat([u.log(), (-u).exp()], 1)[:, None].expand(-1, self.shape[0], -1)
        tokens = self.read(torch.cat([x.reshape(-1, *self.shape), time], 2)) + self.place
        logits: Tensor = self.write(self.blocks(tokens)).flatten(1)
        return logits - x * u.tanh().log()


def fit(model: nn.Module, bits: Tensor, case: Trained | Real, cell: Cell) -> None:
    """Train it; that is the first half of the cell."""
    steps, generator = case.training.steps, torch.Generator().manual_seed(cell.seed % 2**63)
    T, stop = case.segments.horizon, case.segments.stop
    model.to(cell.device)

    def told(step: int, loss: float) -> None:
        cell.progress(step, 2 * steps, f"loss {loss:.3f}")

    train_bits(model, bits, steps, horizon=T, stop=stop, generator=generator, on_step=told)
    model.to("cpu")


def reverse(
    ratios: Ratios, segments: law.Segments, n: int, cell: Cell, *, thinned: bool = False, done: float = 0.0
) -> Trajectory:
    """Uniformisation that tells how far it is; `done` of the cell came before."""
    ends, last = segments.remaining[1:-1], -1

    def told(bits: Tensor, remaining: Tensor) -> Tensor:
        nonlocal last
        if (passed := int((ends >= float(remaining.max())).sum())) > last:
            last = passed
            cell.progress(done + (1 - done) * passed / (len(ends) + 1), 1)
        return ratios(bits, remaining)

    generator = torch.Generator().manual_seed((cell.seed + 1) % 2**63)
    run = uniformize(told, segments.bits, n, segments, generator, thinned=thinned)
    cell.progress(1, 1)
    return run


def counted(run: Trajectory) -> dict[str, Any]:
    counts = {"evaluations": run.evaluations, "flips": run.jumps}
    return {name: float(x.double().mean()) for name, x in counts.items()} | {"truncated": int(run.truncated.sum())}


def histogram(bits: Tensor) -> Floats:
    """Shares of all states, shape (2^B,)."""
    B = bits.shape[1]
    words = (bits.long() << torch.arange(B - 1, -1, -1)).sum(1)
    return np.asarray(np.bincount(words.numpy(), minlength=2**B) / len(words))


def columns_tv(real: Floats, made: Floats) -> float:
    """Mean over columns of the TV between the values' shares."""
    each = []
    for one, other in zip(real.T, made.T, strict=True):
        values = np.union1d(one, other)
        shares = [np.bincount(np.searchsorted(values, x), minlength=len(values)) / len(x) for x in (one, other)]
        each.append(law.tv(*shares))
    return float(np.mean(each))


def correlation_error(real: Floats, made: Floats) -> float:
    """Mean distance of correlations between columns that vary in both."""
    varies = (real.std(0) > 0) & (made.std(0) > 0)
    one, other = (np.atleast_2d(np.corrcoef(x[:, varies].T)) for x in (real, made))
    return float(np.abs(one - other)[np.triu_indices(len(one), 1)].mean())
