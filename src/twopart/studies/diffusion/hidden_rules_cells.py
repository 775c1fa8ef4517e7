"""The cells of the study of hidden rules; rows are told apart by the column `axis`.

course   by `step`: rms of b - g(a) and coarse share of samples;  end   by `name` of the sampler, with largest kl of shares
level    by `sigma`: nats for a unit of log SNR;  total   their sum;  scale, auc   by `name`, and `scale` or `sigma`
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import torch
from scipy.special import ndtr
from torch import Tensor, nn

from twopart.evidence import long
from twopart.fits.conformity import rule_report
from twopart.lab import Cell
from twopart.laws.diffusion.rules import share_nats
from twopart.learners.diffusion import ConvDenoiser, MLPDenoiser, guided, pure_noise, sample, train_denoisers
from twopart.learners.diffusion.denoising import rule_budget
from twopart.learners.diffusion.rules import ContrastiveRule, roc_area
from twopart.studies.diffusion.hidden_rules import Case
from twopart.worlds.diffusion.rules import RulePairs, band_classifier
from twopart.worlds.diffusion.scenes import SCENES
from twopart.worlds.noise import VE, grid
from twopart.worlds.noised import oracle
from twopart.worlds.targets import GaussianTarget

CLOCK, HIGH, SPREAD = VE(), -6.0, 3**-0.5
SCALES = (0.0, 0.5, 1.0, 2.0)


def low(size: float) -> float:
    """The log SNR at which noise is a twentieth of a size: where samplers stop."""
    return 2 * math.log(20 / size)


def draw(predict: Any, size: float, random: torch.Generator, steps: int, *shape: int, **options: Any) -> Tensor:
    times = grid(CLOCK, steps, (HIGH, low(size)))
    return sample(predict, CLOCK, times, pure_noise(CLOCK, times, shape, generator=random), generator=random, **options)


def seeded(cell: Cell, *purpose: str) -> int:
    """A number for that purpose; torch's own stream, which makes weights, begins there too."""
    number: int = cell.generator(*purpose).initial_seed()
    torch.manual_seed(number)
    return number


def restrict(case: Case, cell: Cell) -> pl.DataFrame:
    world, errors, net = case.world, [], case.networks
    for r in range(net.replicates):
        data = world.sample(case.data, cell.seed, r)
        affine = GaussianTarget(torch.linalg.inv(torch.cov(data.T)), data.mean(0))
        predict = oracle(world.product() if case.who == "patch-wise" else affine, CLOCK, "eps")
        x = draw(predict, case.size, cell.generator("start", r), 2 * net.solver_steps, 2 * net.draws, world.dimension)
        errors.append(float(world.residual(x.double()).square().mean()))
        cell.progress(r + 1, net.replicates)
    return pl.DataFrame({"replicate": np.arange(len(errors)), "error": errors})


def inform(case: Case, cell: Cell) -> pl.DataFrame:
    parts = oracle(case.world.product(), CLOCK, "eps")
    return budgets([parts] * case.networks.replicates, case, cell, 16)


def budgets(models: Sequence[Any], case: Case, cell: Cell, times: int) -> pl.DataFrame:
    """What each lacks of the joint law's oracle, at the noise levels of samplers, on so many times the draws."""
    world, net, found = case.world, case.networks, []
    joint, count = oracle(world, CLOCK, "eps"), times * net.draws
    at = torch.linspace(HIGH, low(case.size), net.solver_steps + 1, dtype=torch.float64)
    for r, model in enumerate(models):
        seed = seeded(cell, "levels", str(r))
        found.append(rule_budget(model, joint, world, CLOCK, at, perfect=True, count=count, seed=seed))
        cell.progress(len(models) + r + 1, 2 * len(models))
    gap = np.stack([part.by_level for part in found]) / float(at[1] - at[0])
    total = long("total", {"excess": [part.value for part in found]})
    return pl.concat([long("level", {"gap": gap, "sigma": (-(at[1:] + at[:-1]) / 4).exp()}), total], how="diagonal")


class Affine(nn.Module):
    """eps affine in x, its coefficients by a network that sees the noise alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.network = MLPDenoiser(6, CLOCK, width=width)

    def forward(self, x: Tensor, t: Tensor | float) -> Tensor:
        maps, σ = self.network(x.new_zeros(len(x), 6), t).unflatten(1, (3, 2)), torch.as_tensor(t).to(x)
        scaled = x / (σ.square() + SPREAD**2).sqrt().expand(len(x))[:, None]
        out: Tensor = torch.einsum("ni,nij->nj", scaled, maps[:, :2]) + maps[:, 2]
        return out


def learn(case: Case, cell: Cell) -> pl.DataFrame:
    net, world, δ, R = case.networks, case.world, case.size, case.networks.replicates
    seeded(cell, "weights")
    options: dict[str, Any] = {"width": net.width, "skip": "edm", "data_std": SPREAD}
    models = [Affine(net.width) if case.who == "affine" else MLPDenoiser(2, CLOCK, **options) for _ in range(R)]
    marks, rows = {int(step) for step in np.geomspace(net.training / 100, net.training, 9)}, []

    def on_step(i: int, _: Tensor) -> None:
        cell.progress(i + 1, 2 * net.training)
        if i + 1 in marks:
            found = kept(models, case, cell.generator("course", i), net.draws // 3)
            rows.append(long("course", found, step=i + 1))

    def weight(log_snr: Tensor) -> Tensor:
        σ2 = (-log_snr).exp()
        if case.who == "starved":  # 3/(σ² + 1/3) on x0
            return 3 * σ2 / (σ2 + SPREAD**2)
        inside = (σ2 > (δ / 3) ** 2) & (σ2 < (3 * δ) ** 2) & (case.who == "window")
        return (1 + σ2 / SPREAD**2) * (1 + 9 * inside)

    data = [world.sample(case.data, cell.seed, r).float() for r in range(R)] if case.data else world
    train_denoisers(
        models, data, CLOCK, steps=net.training, batch=net.batch, rate=5e-3, log_snr=(HIGH, low(δ)), weight=weight,
        seed=seeded(cell, "training"), on_step=on_step,
    )  # fmt: skip
    for name, finer, how in (("ODE", 1, {}), ("SDE", 6, {"solver": "euler", "churn": 1.0})):
        rows.append(long("end", kept(models, case, cell.generator(name), 2 * net.draws, finer, **how), name=name))
    rows += [budgets(models, case, cell, 2)] if case.rule == "equal" else []
    cell.progress(1, 1)
    return pl.concat(rows, how="diagonal")


def kept(
    models: Sequence[nn.Module], case: Case, random: torch.Generator, count: int, finer: int = 1, **how: Any
) -> dict[str, Any]:
    """Of samples of each: rms of b - g(a), coarse share, and the largest kl of shares |b - g(a)| < c, data and samples."""
    world, δ, steps = case.world, case.size, finer * case.networks.solver_steps
    x = torch.stack([draw(model, δ, random, steps, count, 2, **how) for model in models]).double()
    reports = [rule_report(part, lambda y: y, world.rule.of, δ) for part in x]
    c = np.geomspace(δ / 3, 30 * δ, 40)
    true = 2 * ndtr(c / math.hypot(δ, 2**0.5 * math.exp(-low(δ) / 2))) - 1  # of data with the noise that samplers leave
    inside = (world.residual(x).abs().numpy()[..., None] < c).sum(1)
    kl = share_nats(true, (inside + 0.5) / (count + 1)).max(1)  # all of a sample is not all there is
    return {"rms": [report.rms for report in reports], "coarse": [report.coarse for report in reports], "kl": kl}


def guide(case: Case, cell: Cell) -> pl.DataFrame:
    net, w, rows = case.networks, case.size, []
    square = RulePairs("equal", 0.0).product()
    alone, exact = oracle(square, CLOCK, "eps"), band_classifier(w, CLOCK, 12)
    for r in range(net.replicates):
        x = square.sample(round(4 * net.draws / w), cell.seed, r)
        inside, lesson = (x[:, 1] - x[:, 0]).abs() < w, seeded(cell, "lessons", str(r))
        both = torch.cat([x[side][: net.draws] for side in (inside, ~inside)]).float()
        rule = ContrastiveRule(MLPDenoiser(2, CLOCK, width=net.width, data_std=SPREAD), x[inside].float())
        rule.fit(CLOCK, steps=net.training // 2, batch=net.batch, log_snr=(HIGH, low(w)), seed=lesson)
        for name, score in (("exact", exact), ("learned", rule.logit)):
            labels = {"replicate": r, "name": name}
            for scale in SCALES:
                predict, start = guided(alone, CLOCK, score, scale) if scale else alone, cell.generator("start", r)
                end = draw(predict, w, start, net.solver_steps, net.draws // 2, 2)
                rms = float((end[:, 1] - end[:, 0]).square().mean().sqrt())
                rows.append(labels | {"axis": "scale", "scale": scale, "rms": rms})
            for σ in np.geomspace(w / 10, 20 * w, 9).tolist():
                noisy = both + σ * torch.randn(both.shape, generator=cell.generator("noise", r))
                area = roc_area(*score(noisy, torch.tensor(σ)).detach().chunk(2))
                rows.append(labels | {"axis": "auc", "sigma": σ, "auc": area})
        cell.progress(r + 1, net.replicates)
    return pl.DataFrame(rows, infer_schema_length=None)


def paint(case: Case, cell: Cell) -> pl.DataFrame:
    net, scene = case.networks, SCENES[case.rule](case.size, case.networks.canvas)
    images, other = (scene.sample(20 * net.pictures, cell.seed, stream) for stream in (0, 1))
    rule, std = (scene.read, scene.pairs.rule.of, case.size), float(images.std())
    seed = seeded(cell, "training", "0")
    network = ConvDenoiser(1, CLOCK, width=net.channels, skip="edm", data_std=std)
    train_denoisers(
        [network], images, CLOCK, steps=net.strokes, batch=net.images, rate=3e-3, log_snr=(HIGH, low(1.0)), weight="edm",
        data_std=std, seed=seed, on_step=lambda i, _: cell.progress(i + 1, net.strokes + 1),
    )  # fmt: skip
    drawn = draw(network, 1.0, cell.generator("start"), 40, net.pictures, *images.shape[1:])
    found, floor = rule_report(drawn, *rule), rule_report(other, *rule).rms
    cell.progress(1, 1)
    return pl.DataFrame([{"rms": found.rms, "coarse": found.coarse, "floor": floor}])
