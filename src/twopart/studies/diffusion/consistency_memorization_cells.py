"""The cells of the study of consistency distillation: a denoiser, a teacher with its students, a network; one replicate each.

Rows are told apart by the column `axis`: clock and sgd of a denoiser; law, judged (at times in τ_mem) and sgd of students, by
`student`; samples and ratio of networks, by `who`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from twopart._arrays import Floats
from twopart.fits.distances import energy_distance, gaussian_w2, memorisation
from twopart.fits.levels import clocks
from twopart.lab import Cell
from twopart.laws.diffusion.random_features import chain, regression
from twopart.learners import diffusion as kit
from twopart.learners.diffusion.samplers import noised_points
from twopart.learners.schedules import Constant
from twopart.studies.diffusion import consistency_memorization as study
from twopart.worlds._image_folders import images
from twopart.worlds.noise import OU, grid
from twopart.worlds.noised import Empirical, noised, oracle
from twopart.worlds.targets import GaussianTarget

CLOCK, DENOISED, LEVELS = OU(), torch.tensor(0.1).double(), torch.tensor(study.TIMES[::-1]).double()
STEP, BATCH, N = 4.0, 64, len(LEVELS) - 1  # rate of SGD a level, points of a step a level, levels
RATE, ENDS = 2e-3, (-np.log(np.expm1(6.0)), -np.log(np.expm1(0.02)))  # of networks; log SNR at OU times 3 and .01
RATIOS, CURVE, COURSE = np.linspace(0.05, 1, 20), np.geomspace(10, 1e7, 25), np.geomspace(1, 1e8, 97)


class Sides:
    """Errors on noised training and test points at a time, of weights for eps, or of maps by one step to another time."""

    def __init__(
        self, model: kit.RandomFeatureDenoiser, points: tuple[Tensor, ...], t: Tensor, to: Tensor | None, of: Any
    ):
        self.both = [model.moments(part, t, to, **of) for part in points]
        self.scale = 1.0 if to is None else float(model.coefficients(t, to)[1]) ** 2

    def errors(self, weights: Floats, prefix: str = "") -> dict[str, Floats]:
        return {f"{prefix}{n}": self.scale * self.both[i].error(weights) for i, n in enumerate(("train", "test"))}

    def course(self, times: Any) -> Floats:
        """Weights of gradient flow from nothing."""
        return regression(self.both[0].gram, self.both[0].cross, times)

    def clocks(self) -> dict[str, float]:
        return clocks(COURSE, **self.errors(self.course(COURSE)))._asdict()


def drawn(case: study.Linear, cell: Cell) -> tuple[GaussianTarget, tuple[Tensor, Tensor], dict[str, Any]]:
    """The world, half of whose variances are 1.5, half 0.5; training and test points; how many draws of noise, and whose."""
    variances = torch.tensor([1.5, 0.5]).double().repeat(case.dimension)[: case.dimension]
    world, random = GaussianTarget(1 / variances), cell.generator("noise")
    points = world.sample(case.points, cell.seed, 0), world.sample(case.samples, cell.seed, 1)
    return world, points, {"samples": case.samples, "generator": random}


def made(case: study.Linear, cell: Cell, times: Tensor, **options: Any) -> kit.RandomFeatureDenoiser:
    options |= {"features": case.features, "generator": cell.generator("weights")}
    return kit.RandomFeatureDenoiser(case.dimension, CLOCK, times, **options).double()


def snapshots(time: float, count: int) -> NDArray[np.int64]:
    """Steps of SGD up to that time, evenly in logarithms."""
    return np.unique(np.ceil(np.geomspace(1 / 60, 1, count) * time / STEP).astype(int))


def descend(case: study.Linear, cell: Cell) -> pl.DataFrame:
    """A denoiser at one time: clocks, and losses by law and by SGD with fresh noise."""
    _, points, options = drawn(case, cell)
    model = made(case, cell, DENOISED[None])
    sides, marks = Sides(model, points, DENOISED, None, options), snapshots(case.sgd_time, 10)
    rows, kept, weights = [pl.DataFrame([{"axis": "clock", **sides.clocks()}])], [], torch.zeros_like(model.weights[0])
    for i in range(1, marks[-1] + 1 if case.sgd_time else 1):
        batch = points[0][torch.randint(len(points[0]), (4 * BATCH,), generator=options["generator"])]
        x, eps, _ = noised_points(batch, CLOCK, DENOISED, len(batch), options["generator"])
        φ = model.features(x)
        weights = weights - STEP / len(φ) * (φ @ weights.T - eps).T @ φ
        if i in marks:
            kept.append(weights.detach().numpy())
        cell.progress(i, marks[-1])
    if kept:
        law, found = sides.errors(sides.course(STEP * marks), "law_"), sides.errors(np.array(kept))
        rows.append(pl.DataFrame({"axis": "sgd", "tau": STEP * marks, **found, **law}))
    cell.progress(1, 1)
    return pl.concat(rows, how="diagonal")


def distil(case: study.Linear, cell: Cell) -> pl.DataFrame:
    """A teacher and its students: by law at all times, and by SGD."""
    world, points, options = drawn(case, cell)
    teacher = made(case, cell, LEVELS, skip="edm").solve(points[0], case.teacher_time, **options)

    def weight(t: Tensor) -> Tensor:
        """1/(2 c_out²): time passes alike at all levels."""
        return 0.5 / teacher.coefficients(t, LEVELS[-1])[1].square()

    shown, unseen = (kit.levels(teacher, part, weight=weight, **options) for part in points)
    few = {**options, "samples": case.samples // 3}
    τ_mem = max(Sides(teacher, points, t, None, few).clocks()["memorises"] for t in LEVELS[:-1])
    marks = snapshots(case.sgd_time, 6)
    asked = np.r_[CURVE, study.SHORT * τ_mem, study.LONG * τ_mem]
    at = [None] * len(CURVE) + [study.SHORT, study.LONG]
    labels = {"axis": ["judged" if share else "law" for share in at], "at": at, "tau": asked}
    τ = np.unique(np.r_[asked, STEP * marks])
    students = {
        study.FRESH: chain(shown, τ), study.COPIED: chain(shown, τ, start=teacher.weights.detach().flip(0)[1:].numpy()),
        study.IN_TURN: chain(shown, τ, in_turn=True), study.UNSEEN: chain(unseen, τ),
    }  # fmt: skip
    k = study.TIMES.index(study.JUDGED)
    times, maps = LEVELS[-1 - k :], Sides(teacher, points, LEVELS[-1 - k], LEVELS[-1], options)
    noise = kit.pure_noise(CLOCK, LEVELS, (2000, case.dimension), generator=options["generator"], dtype=torch.float64)
    (skip, out), φ = teacher.coefficients(LEVELS[0], LEVELS[-1]), teacher.features(noise)
    ode = partial(kit.sample, teacher, CLOCK, solver="ddim")
    own = kit.train_test_gap(lambda x, _: ode(times, x), *points, CLOCK, times[0], **options)
    w2 = quality(ode(LEVELS, noise).numpy(), world)
    rows = [pl.DataFrame({**labels, "student": study.TEACHER, "w2": float(w2), **own._asdict()})]
    for name, B in students.items():
        w2 = quality((skip * noise + out * (φ @ torch.from_numpy(B[-1, τ.searchsorted(asked)]).mT)).numpy(), world)
        rows.append(pl.DataFrame({**labels, "student": name, "w2": w2, **maps.errors(B[k - 1, τ.searchsorted(asked)])}))
    for name, init, stops in cast(Any, ((study.COPIED, "teacher", marks[:3]), (study.FRESH, "fresh", marks))):
        model, kept = made(case, cell, LEVELS, skip="edm"), list[Tensor]()

        def seen(i: int, _: Tensor, model: Any = model, kept: list[Tensor] = kept, last: int = stops[-1]) -> None:
            cell.progress(i + 1 if last == marks[-1] else 0, marks[-1])
            if i + 1 in marks:
                kept.append(model.weights[-1 - k].detach().clone())

        kit.consistency_distill(
            teacher, model, points[0], CLOCK, LEVELS, steps=stops[-1], ema=0, weight=weight, init=init, batch=BATCH * N,
            rate=STEP * N, schedule=Constant(0), optimiser=torch.optim.SGD, generator=options["generator"], on_step=seen,
        )  # fmt: skip
        law = maps.errors(students[name][k - 1, τ.searchsorted(STEP * stops)], "law_")
        found = {"axis": "sgd", "student": name, "tau": STEP * stops, **maps.errors(torch.stack(kept).numpy())}
        rows.append(pl.DataFrame({**found, **law}))
    return pl.concat(rows, how="diagonal").with_columns(gap=pl.col("test") - pl.col("train"))


def quality(x: Floats, world: GaussianTarget) -> Floats:
    """W2 of Gaussians, that of samples (..., S, d) and that of the data noised as they are."""
    law, apart = noised(world, study.TIMES[0], CLOCK), x - x.mean(-2, keepdims=True)
    covariance = apart.swapaxes(-1, -2) @ apart / x.shape[-2]
    return gaussian_w2(x.mean(-2), covariance, law.mean.numpy().reshape(-1), law.covariance.numpy().squeeze())


def copy(case: study.Copied, cell: Cell) -> pl.DataFrame:
    """A network that an exact copier teaches: how near its samples and the copier's are to training points, and how good."""
    n, random, d = case.networks, cell.generator("noise"), case.dimension
    count = case.points + n.drawn
    if d:
        data = drawn(study.Linear(d, 10, count), cell)[1][0].float()
    else:
        pixels = images("digits" if n.images == "digits" else "folder", n.images, side=8)[0]
        data = torch.from_numpy(2 * pixels / pixels.max() - 1).float()
    mixed = torch.randperm(len(data), generator=torch.Generator().manual_seed(cell.seed >> 1))
    data = data[mixed[:count]].to(cell.device)
    train, fresh = data[: case.points], data[case.points :]
    times = grid(CLOCK, n.levels, ENDS)
    perfect = oracle(Empirical(train.flatten(1)), CLOCK, "eps")

    def teacher(x: Tensor, t: Tensor) -> Tensor:
        return perfect(x.flatten(1), t).reshape(x.shape)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(cell.seed >> 1)
        options: Any = {"width": case.width, "skip": "edm", "data_std": float(train.std())}
        network = (
            kit.MLPDenoiser(d, CLOCK, depth=2, **options) if d else kit.ConvDenoiser(data.shape[1], CLOCK, **options)
        )
    steps = n.training if d else n.training // 5
    student = kit.consistency_distill(
        teacher, network.to(cell.device), train, CLOCK, times, steps=steps, batch=n.batch, rate=RATE, generator=random,
        teacher_solver=n.solver, on_step=lambda i, _: cell.progress(i + 1, steps),
    )  # fmt: skip
    start = kit.pure_noise(CLOCK, times, tuple(fresh.shape), generator=random, device=cell.device)
    one, other = (noised_points(part, CLOCK, times[-1], len(part), random)[0] for part in fresh.tensor_split(2))
    with torch.no_grad():
        copier = kit.sample(teacher, CLOCK, times, start, solver=n.solver)
        made = {study.TEACHER: copier, study.STUDENT: student(start, times[0]), study.DATA: one}
    rows = list[pl.DataFrame]()
    for who, x in made.items():
        points, held, known = (part.flatten(1).numpy(force=True) for part in (x, other, train))
        copies, energy = memorisation(points, known), energy_distance(points, held).value
        kept = [float((copies.ratios < edge).mean()) for edge in RATIOS]
        rows.append(pl.DataFrame([{"axis": "samples", "who": who, "share": copies.share, "energy": energy}]))
        rows.append(pl.DataFrame({"axis": "ratio", "who": who, "ratio": RATIOS, "share": kept}))
    return pl.concat(rows, how="diagonal")
