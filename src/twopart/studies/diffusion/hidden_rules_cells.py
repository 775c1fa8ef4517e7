"""The cells of the study of hidden rules; rows are told apart by the column `axis`.

course   by `step`: rms of b - g(a) and coarse share of samples;  end   by `name` of the sampler, and largest kl of shares
level    by `sigma`: nats for a unit of log SNR;  total   their sum;  scale, auc   by `name`, and `scale` or `sigma`
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import torch
from scipy.special import ndtr
from torch import Tensor, nn

from twopart import _random
from twopart.evidence import long
from twopart.fits.conformity import rule_report
from twopart.lab import Cell
from twopart.laws.diffusion.denoising import Nats
from twopart.laws.diffusion.rules import share_nats
from twopart.learners.diffusion import ConvDenoiser, MLPDenoiser, guided, pure_noise, sample, train_denoisers
from twopart.learners.diffusion.rules import ContrastiveRule, roc_area, rule_budget
from twopart.studies.diffusion.hidden_rules import Case
from twopart.worlds.diffusion.rules import RulePairs, band_classifier
from twopart.worlds.diffusion.scenes import SCENES
from twopart.worlds.noise import VE, grid
from twopart.worlds.noised import oracle
from twopart.worlds.targets import GaussianTarget

CLOCK, HIGH, SPREAD = VE(), -6.0, 3**-0.5
SCALES = (0.0, 0.5, 1.0, 2.0, 4.0)


def low(size: float) -> float:
    """The log SNR at which noise is a twentieth of a size."""
    return 2 * math.log(20 / size)


def draw(predict: Any, case: Case, random: torch.Generator, *shape: int, finer: int = 1, **options: Any) -> Tensor:
    times = grid(CLOCK, finer * case.networks.solver_steps, (HIGH, low(case.size)))
    return sample(predict, CLOCK, times, pure_noise(CLOCK, times, shape, generator=random), generator=random, **options).double()


def restrict(case: Case, cell: Cell) -> pl.DataFrame:
    world, errors = RulePairs(case.rule, case.size), []
    for r in range(case.networks.replicates):
        data = world.sample(case.data, cell.seed, r)
        affine = GaussianTarget(torch.linalg.inv(torch.cov(data.T)), data.mean(0))
        predict = oracle(world.product() if case.who == "patch-wise" else affine, CLOCK, "eps")
        x = draw(predict, case, cell.generator("start", r), 2 * case.networks.draws, world.dimension)
        errors.append(float(world.residual(x).square().mean()))
        cell.progress(r + 1, case.networks.replicates)
    return pl.DataFrame({"replicate": np.arange(len(errors)), "error": errors})


def inform(case: Case, cell: Cell) -> pl.DataFrame:
    world, found, R = RulePairs("equal", case.size), [], case.networks.replicates
    joint, parts = (oracle(target, CLOCK, "eps") for target in (world, world.product()))
    for r in range(R):
        found.append(budget(parts, joint, world, case, seed(cell, "levels", r), 16 * case.networks.draws))
        cell.progress(r + 1, R)
    return told(found, case)


def budget(predict: Any, joint: Any, world: RulePairs, case: Case, seed: int, count: int) -> Nats:
    return rule_budget(predict, joint, world, CLOCK, levels(case), perfect=True, count=count, seed=seed)


def levels(case: Case) -> Tensor:
    return torch.linspace(HIGH, low(case.size), 41, dtype=torch.float64)


def told(found: list[Nats], case: Case) -> pl.DataFrame:
    at = levels(case)
    σ, gap = (-(at[1:] + at[:-1]) / 4).exp(), np.stack([part.by_level for part in found]) / float(at[1] - at[0])
    total = long("total", {"excess": np.array([part.value for part in found])})
    return pl.concat([long("level", {"gap": gap, "sigma": σ}), total], how="diagonal")


def seed(cell: Cell, *purpose: Any) -> int:
    return int(_random.keys(cell.seed, 1, *map(str, purpose))[0] >> 1)


class Affine(nn.Module):
    """The affine map with a network's values at no and at one unit of each coordinate."""

    def __init__(self, network: MLPDenoiser) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, t: Tensor | float) -> Tensor:
        σ = torch.as_tensor(t).to(x)
        size = (σ.square() + SPREAD**2).sqrt().expand(len(x))[:, None]
        first = self.network(0 * x, t)
        steps = [self.network(size * unit + 0 * x, t) - first for unit in torch.eye(x.shape[1]).to(x)]
        out: Tensor = first + sum(x[:, i, None] / size * step for i, step in enumerate(steps))
        return out


def learn(case: Case, cell: Cell) -> pl.DataFrame:
    net, world, R, δ = case.networks, RulePairs(case.rule, case.size), case.networks.replicates, case.size
    torch.manual_seed(seed(cell, "weights"))
    made = [MLPDenoiser(2, CLOCK, width=net.width, skip="edm", data_std=SPREAD) for _ in range(R)]
    models: list[nn.Module] = [Affine(one) for one in made] if case.who == "affine" else list(made)
    marks, rows = np.unique(np.geomspace(net.training / 100, net.training, 12).astype(int)).tolist(), []

    def kept(axis: str, x: list[Tensor], **labels: Any) -> None:
        reports = [rule_report(part, lambda y: y, world.rule.of, δ) for part in x]
        c = np.geomspace(δ / 3, 30 * δ, 40)
        true = 2 * ndtr(c / math.hypot(δ, 2**0.5 * math.exp(-low(δ) / 2))) - 1
        kl = [share_nats(true, (world.residual(part).abs().numpy()[:, None] < c).mean(0)).max() for part in x]
        columns = {name: np.array([getattr(report, name) for report in reports]) for name in ("rms", "coarse")}
        rows.append(long(axis, {**columns, "kl": np.array(kl)}, **labels))

    def on_step(i: int, _: Tensor) -> None:
        cell.progress(i + 1, net.training + 1)
        if i + 1 in marks:
            random = cell.generator("course", i)
            kept("course", [draw(m, case, random, net.draws // 3, 2) for m in models], step=i + 1)

    def weigh(log_snr: Tensor) -> Tensor:
        σ2 = (-log_snr).exp()
        if case.who == "starved":
            return 3 * σ2 / (σ2 + SPREAD**2)
        inside = (σ2 > (δ / 3) ** 2) & (σ2 < (3 * δ) ** 2)
        return (1 + σ2 / SPREAD**2) * (1 + 9 * inside * (case.who == "window"))

    data = [world.sample(case.data, cell.seed, r).float() for r in range(R)] if case.data else world
    train_denoisers(
        models, data, CLOCK, steps=net.training, batch=net.batch, rate=5e-3, log_snr=(HIGH, low(δ)), weight=weigh,
        seed=seed(cell, "training"), on_step=on_step,
    )  # fmt: skip
    random = cell.generator("end")
    kept("end", [draw(m, case, random, 2 * net.draws, 2) for m in models], name="ODE")
    kept("end", [draw(m, case, random, 2 * net.draws, 2, finer=5, solver="euler", churn=1.0) for m in models], name="SDE")
    if case.rule == "equal":
        joint = oracle(world, CLOCK, "eps")
        rows.append(told([budget(m, joint, world, case, seed(cell, "levels", r), 4000) for r, m in enumerate(models)], case))
    cell.progress(1, 1)
    return pl.concat(rows, how="diagonal")


class Logit(nn.Module):
    """One number for a noised pair, by the first output of a denoiser's network."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.network = MLPDenoiser(2, CLOCK, width=width, data_std=SPREAD)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        out: Tensor = self.network(x, t)[:, 0]
        return out


def guide(case: Case, cell: Cell) -> pl.DataFrame:
    net, w, rows = case.networks, case.size, []
    square = RulePairs("equal", 0.0).product()
    alone, exact = oracle(square, CLOCK, "eps"), band_classifier(w, CLOCK, 16)
    for r in range(net.replicates):
        x = square.sample(round(4 * net.draws / w), cell.seed, r)
        inside = (x[:, 1] - x[:, 0]).abs() < w
        torch.manual_seed(seed(cell, "weights", r))
        rule = ContrastiveRule(Logit(net.width), x[inside].float())
        rule.fit(CLOCK, steps=net.lessons, log_snr=(HIGH, low(w)), seed=seed(cell, "lessons", r))
        for name, score in (("exact", exact), ("learned", rule.classifier)):
            for scale in SCALES:
                drawn = draw(guided(alone, CLOCK, score, scale), case, cell.generator("start", r), net.draws // 2, 2)
                rms = float((drawn[:, 1] - drawn[:, 0]).square().mean().sqrt())
                rows.append({"replicate": r, "axis": "scale", "name": name, "scale": scale, "rms": rms})
            for σ in np.geomspace(w / 10, 20 * w, 9):
                random = cell.generator("noise", r)
                parts = [x[side][: net.draws] for side in (inside, ~inside)]
                noisy = [part + σ * torch.randn(part.shape, generator=random).double() for part in parts]
                scores = [score(part.float(), torch.tensor(σ)).detach() for part in noisy]
                rows.append({"replicate": r, "axis": "auc", "name": name, "sigma": float(σ), "auc": roc_area(*scores)})
        cell.progress(r + 1, net.replicates)
    return pl.DataFrame(rows, infer_schema_length=None)


def read_digits(images: Tensor) -> Tensor:
    """Slant of the ink, columns by rows, and its balance, right less left, shape (n, 2)."""
    ink = ((images[:, 0] + 1) / 2).clamp(min=0)
    places, total = torch.arange(8).to(ink) - 3.5, ink.sum((1, 2)).clamp(min=1e-6)
    across, down = ink.sum(1), ink.sum(2)
    y, x = (down @ places / total)[:, None], (across @ places / total)[:, None]
    cross = torch.einsum("nij,ni,nj->n", ink, places - y, places - x)
    return torch.stack([cross / (down * (places - y) ** 2).sum(1).clamp(min=1e-6), across @ places.sign() / total], 1)


def paint(case: Case, cell: Cell) -> pl.DataFrame:
    net, R = case.networks, case.networks.replicates
    if case.rule == "digits":
        from sklearn.datasets import load_digits

        images, rule, read = torch.tensor(load_digits().images).float()[:, None] / 8 - 1, None, read_digits
        images = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]
        images, other = images[:1200], images[1200:]
        fitted = np.polyfit(*read(images).numpy().T, 3)
        rule = lambda slant: np.polyval(fitted, slant)  # noqa: E731
    else:
        scene = SCENES[case.rule](case.size, net.canvas)
        images, other, rule, read = scene.sample(20_000, cell.seed), scene.sample(2000, cell.seed, 1), scene.pairs.rule.of, scene.read
    torch.manual_seed(seed(cell, "weights"))
    std = float(images.std())
    models = [ConvDenoiser(1, CLOCK, width=net.channels, skip="edm", data_std=std) for _ in range(R)]
    train_denoisers(
        models, images, CLOCK, steps=net.strokes, batch=net.images, rate=5e-3, log_snr=(HIGH, low(1.0)), weight="edm",
        data_std=std, seed=seed(cell, "training"), on_step=lambda i, _: cell.progress(i + 1, net.strokes + 1),
    )  # fmt: skip
    floor, rows = rule_report(other, read, rule, case.size).rms, []
    for r, model in enumerate(models):
        times = grid(CLOCK, net.solver_steps // 2, (HIGH, low(1.0)))
        start = pure_noise(CLOCK, times, (net.draws // 8, *images.shape[1:]), generator=cell.generator("start", r))
        found = rule_report(sample(model, CLOCK, times, start), read, rule, case.size)
        rows.append({"replicate": r, "rms": found.rms, "coarse": found.coarse, "floor": floor})
    cell.progress(1, 1)
    return pl.DataFrame(rows)
