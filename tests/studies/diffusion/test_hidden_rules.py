"""The study of hidden rules: planted rows whose verdicts are known, and its affine network."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Rows, long
from twopart.studies.diffusion import hidden_rules as study
from twopart.studies.diffusion import hidden_rules_cells as cells
from twopart.studies.diffusion.hidden_rules import Case, Networks

R = 4
SPREAD = 1e-3 * np.array([-1.5, -0.5, 0.5, 1.5])
EQUAL = Case("EDM", "equal", 0.1, Networks())


def rows(case, *frames):
    return Rows(case, pl.concat(frames, how="diagonal"))


def test_restricted_denoisers_are_judged():
    for case, law in (
        (Case("affine", "quadratic", 0.1, Networks(), 200), 0.71),
        (Case("affine", "sum", 0.1, Networks(), 200), 0.01),
        (Case("patch-wise", "threshold", 0.1, Networks(), 200), 2.01),
    ):
        frame = pl.DataFrame({"replicate": np.arange(R), "error": law * (1 + SPREAD)})
        assert study.drawn(rows(case, frame)).verdict == "holds"
        assert study.drawn(rows(case, frame.with_columns(pl.col("error") * 1.05))).verdict == "fails"
    n, flat = (200, 2000), np.outer(1 + SPREAD, [1.0, 1.0]) + np.outer(SPREAD, [1, -1])
    assert study.unmoved("a", "data", n, flat).verdict == "holds"
    assert study.unmoved("a", "data", n, flat * [1, 0.9]).verdict == "fails"
    assert study.helped("a", "data", n, flat * [1, 0.9]).verdict == "holds"
    assert study.helped("a", "data", n, flat * [1, 1.1]).verdict == "fails"


def total(excess):
    return long("total", {"excess": excess + SPREAD})


def ends(rms=0.1, kl=0.05):
    return pl.concat(long("end", {"rms": rms + SPREAD, "kl": kl + SPREAD}, name=name) for name in ("ODE", "SDE"))


def course(rms, sides):
    return long("course", {"step": [[10, 20, 40]] * R, "rms": [rms] * R, "coarse": [sides] * R})


def test_networks_are_judged():
    assert study.informs(rows(EQUAL, total(1.667))).verdict == "holds"
    assert study.informs(rows(EQUAL, total(1.667 * 1.05))).verdict == "fails"
    assert study.bounded(rows(EQUAL, total(0.1), ends())).verdict == "holds"
    assert study.bounded(rows(EQUAL, total(0.1), ends(kl=0.2))).verdict == "fails"
    found = study.coarse_first(rows(EQUAL, course([0.5, 0.3, 0.1], [0.8, 0.96, 1])))
    assert (found.verdict, found.measured) == ("holds", 2)
    assert study.coarse_first(rows(EQUAL, course([0.5, 0.1, 0.1], [0.8, 0.9, 1]))).verdict == "fails"
    assert study.coarse_first(rows(EQUAL, course([0.5, 0.4, 0.3], [0.8, 0.9, 1]))).measured == 2  # never fine
    three = [rows(replace(EQUAL, who=w), ends(rms)) for w, rms in zip(study.WEIGHTS, (0.3, 0.2, 0.1), strict=True)]
    assert study.weighs(three).verdict == "holds"
    assert study.weighs(three[::-1]).verdict == "fails"
    steps, rms, _ = study.course(rows(EQUAL, course([0.5, 0.3, 0.1], [1, 1, 1])), 0.5)
    assert steps.tolist() == [20, 40]
    assert rms[0].tolist() == [0.3, 0.1]


def test_guidance_and_images_are_judged():
    def guided(name, before, after):
        case = Case("classifier", "band", 0.1, Networks())
        return rows(
            case,
            *(long("scale", {"rms": v + SPREAD / 10}, name=name, scale=s) for s, v in ((0.0, before), (1.0, after))),
        )

    w = 0.1 / 3**0.5
    assert study.guides(guided("exact", 0.8, w)).verdict == "holds"
    assert study.guides(guided("exact", 0.8, w * 1.06)).verdict == "fails"
    assert study.limited(guided("learned", 0.8, 0.1)).verdict == "holds"
    assert study.limited(guided("learned", 0.8, w * 0.95)).verdict == "fails"
    frame = pl.DataFrame({"replicate": np.arange(R), "rms": 0.1 + SPREAD, "floor": 0.09, "coarse": 0.97 + SPREAD})
    t = rows(Case("network", "sun-shadow", 0.05, Networks()), frame)
    assert (study.coarse(t).verdict, study.fine(t).verdict) == ("holds", "holds")
    worse = Rows(t.case, frame.with_columns(pl.col("rms") * 1.5, pl.col("coarse") - 0.1))
    assert (study.coarse(worse).verdict, study.fine(worse).verdict) == ("fails", "fails")


def test_the_affine_network_is_affine():
    model, t = cells.Affine(4), torch.tensor(0.3)
    x = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(model(2 * x - x.flip(0), t), 2 * model(x, t) - model(x.flip(0), t), atol=1e-5)
    assert model(x, torch.full((3,), 0.3)).shape == x.shape


@pytest.mark.parametrize("preset", ["small", "full"])
def test_every_case_is_named_apart(preset):
    named = [(work.function, str(work.case)) for work in study.cells(study.PRESETS[preset], 0)]
    assert len(set(named)) == len(named) > 20
