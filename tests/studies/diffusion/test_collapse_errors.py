"""The study of collapse errors: planted rows whose verdicts are known, and parts of its cells against slow twins."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Rows, long
from twopart.studies.diffusion import collapse_errors as study
from twopart.studies.diffusion import collapse_errors_cells as torch_cells
from twopart.studies.diffusion.collapse_errors import (
    ABOVE,
    EDM,
    JOINT,
    Drawn,
    Learned,
    Linear,
    Networks,
    Planted,
    Shared,
    Weighed,
)
from twopart.worlds.noised import noised

R = 4
SPREAD = 1e-3 * np.array([-1.5, -0.5, 0.5, 1.5])
ENDS = Planted().ends
LINEAR = Linear(Planted(), 0.1, (ENDS[0], study.level(0.5)), "high noise", 0.0, "heun", R)
LEARNED = Learned(Networks(), Drawn(), (0, 1), 400, R)


def linear(case, error):
    return Rows(case, pl.DataFrame({"replicate": np.arange(R), "error": error + SPREAD, "steps": 1.0}))


def test_planted_errors_are_judged_against_the_law():
    assert LINEAR.law == pytest.approx(-0.7453, abs=1e-4)
    assert study.moved(linear(LINEAR, -0.745)).verdict == "holds"
    assert study.moved(linear(LINEAR, -0.745 * 1.05)).verdict == "fails"
    by_steps = replace(LINEAR, solver="euler")
    assert study.moved(linear(by_steps, 1.01)).verdict == "holds"
    assert study.moved(linear(by_steps, -0.745)).verdict == "fails"
    sde = replace(LINEAR, churn=1.0)
    assert study.forgotten(linear(sde, -0.001)).verdict == "holds"
    assert study.forgotten(linear(sde, -0.03)).verdict == "fails"
    assert "-0.745" in study.forgotten(linear(sde, 0)).statement
    weak = replace(LINEAR, bias=-0.1)
    assert study.spreads(linear(weak, 0.745)).verdict == "holds"
    assert study.spreads(linear(weak, -0.745)).verdict == "fails"


def test_the_see_saw_is_judged():
    def shared(high):
        return Rows(Shared(Networks(), 24, R), long("see-saw", {"weight": [[1.0, 2.0, 3.0]] * R, "high": high}))

    rising = np.array([[0.1, 0.2, 0.3]] * R)
    assert study.never_falls(shared(rising)).verdict == "holds"
    assert study.never_falls(shared(rising[:, ::-1])).verdict == "fails"

    def weighed(*errors):
        frames = {w: part(e).with_columns(weight=pl.lit(w)) for w, e in zip((0.1, 1.0, 10.0), errors, strict=True)}
        return [Rows(Weighed(Networks(), w, R), frame) for w, frame in frames.items()]

    assert study.rises(weighed(0.1, 0.2, 0.3)).verdict == "holds"
    assert study.rises(weighed(0.3, 0.2, 0.1)).verdict == "fails"


def part(high, name=JOINT):
    return long("error", {"error": np.array([high, 0.5]) + SPREAD[:, None], "log_snr": [-2.0, 2.0]}, name=name)


def learned(ode=0.1, sde=0.0, cure=0.02, edm=0.0, law=0.1, kl=0.5, histogram=0.5, high=0.01):
    tails = [(JOINT, 0.0, ode), (JOINT, 1.0, sde), (ABOVE[0], 0.0, cure), (EDM, 0.0, edm), (EDM, 1.0, 0.0)]
    rows = [
        pl.DataFrame({"axis": "tail", "replicate": np.arange(R), "name": name, "churn": χ, "radius": 1.0, "top": 0.05,
                      "tail": value + SPREAD * (1 if χ else -1), "law": law})
        for name, χ, value in tails
    ]  # fmt: skip
    density = {"axis": "density", "replicate": np.arange(R), "name": JOINT, "kl": kl, "histogram": histogram + SPREAD}
    return Rows(LEARNED, pl.concat([*rows, part(0.1), part(high, ABOVE[0]), pl.DataFrame(density)], how="diagonal"))


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        (study.collapses, {"sde": 0.2}),
        (lambda t: study.cured(t, ABOVE[0]), {"cure": 0.2}),
        (study.even, {"edm": 0.1}),
        (study.foretold, {"law": 0.13}),
        (study.dense, {"histogram": 0.53}),
        (study.specialised, {"high": 0.06}),
    ],
)
def test_networks_are_judged(claim, wrong):
    assert claim(learned()).verdict == "holds"
    assert claim(learned(**wrong)).verdict == "fails"


def test_a_histogram_has_the_divergence_of_its_samples(size):
    """Of two Gaussians, in closed form; and 0 for samples of the law itself."""
    law, n = noised(torch_cells.comb(Networks()), 0.3), size(50_000, 10**6)
    assert torch_cells.from_histogram(law.sample(n, 1)[:, 0].numpy(), law) == pytest.approx(0, abs=5e-3)
    one = torch_cells.MixtureTarget([1.0], [[0.0]], 1.0)
    x = 1.3 * np.random.default_rng(0).standard_normal(n)
    assert torch_cells.from_histogram(x, one) == pytest.approx((1.69 - 1 - np.log(1.69)) / 2, abs=5e-3)


def test_draws_from_a_line_have_its_law(size):
    places, n = np.linspace(0, 1, 101), size(20_000, 10**6)
    line = torch_cells.Line(places, np.diff(places**2))
    x = torch_cells.draw(line, n, np.random.default_rng(0))[:, 0]
    for q in (0.2, 0.5, 0.9):
        assert np.mean(x < q) == pytest.approx(q**2, abs=5 * (q**2 * (1 - q**2) / n) ** 0.5)


def test_the_perfect_denoiser_leaves_the_noised_data():
    """The ODE of the exact score, by the steps of the study."""
    target, times = (
        torch_cells.comb(Networks()),
        torch_cells.grid(torch_cells.CLOCK, 100, (-6.0, study.level(1e-3))),
    )
    perfect = torch_cells.oracle(target, torch_cells.CLOCK, "eps")
    line = torch_cells.line_density(perfect, torch_cells.CLOCK, times, dtype=torch.float64)
    middle = torch.from_numpy((line.places[1:] + line.places[:-1]) / 2)[:, None]
    law = noised(target, times[-1], torch_cells.CLOCK)
    assert abs(line.mass @ (line.log_density - law.log_density(middle).numpy())) < 1e-3
