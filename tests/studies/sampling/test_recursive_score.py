"""Recursive scores: judges on rows whose verdict is known, cells beside plain sums, laws of the modes."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Rows
from twopart.lab import Cell
from twopart.studies.sampling import recursive_score as study
from twopart.studies.sampling import recursive_score_cells as cells

GAUSSIAN = study.Gaussian(estimates=100, draws=100)
MODES, RUN, R = study.Modes(), study.Chains(particles=50), 4
CELL = Cell(Path(), seed=5)


def rows(case, **columns):
    """One row for each replicate, 0.1 % apart."""
    spread = np.linspace(0.999, 1.001, R)
    return Rows(case, pl.DataFrame({"replicate": range(R), **{name: v * spread for name, v in columns.items()}}))


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "holds"), (1.06, "fails")])
def test_gaussian_claims(factor, verdict):
    """An error of a twentieth in a variance is seen, one of four standard errors in a mean."""
    case = study.Estimates(GAUSSIAN, 4, 2, R)
    law = cells.estimate(case, CELL).row(0, named=True)
    value, variance = law["law_mean"], law["law"]
    off = (factor - 1) / 0.06 * 4 * np.sqrt(variance / (GAUSSIAN.estimates * R))
    frame = rows(case, variance=variance * factor).frame.with_columns(mean=value + off, law_mean=value, law=variance)
    assert study.spread_as_foretold(Rows(case, frame)).verdict == verdict
    assert study.right_on_average(Rows(case, frame.with_columns(variance=variance))).verdict == verdict
    many = study.Estimates(study.Gaussian(draws=10**6), 4, 2, R)
    assert study.samples_spread(Rows(many, frame)).verdict == verdict
    calls = frame.with_columns(counted=law["calls"] * factor, calls=law["calls"])
    assert study.counted([Rows(case, calls)]).verdict == verdict


def test_curvatures(monkeypatch):
    """Those of the posterior by the exact Hessian of the target; at the wrong length none of the claims holds."""
    assert [claim(MODES).verdict for claim in (study.convex, study.smooth, study.bent)] == ["holds"] * 3
    assert (study.convex(MODES).measured, study.smooth(MODES).measured) == pytest.approx((8, 17), abs=1e-4)
    x = torch.linspace(-8, 8, 20_001, dtype=torch.float64)[:, None]
    bend = 16 - cells.target(MODES, 1).hessian(x)[:, 0, 0]
    assert study.posterior_curvature(MODES, 1) == pytest.approx(bend.numpy())
    monkeypatch.setattr(study, "posterior_curvature", lambda modes, multiple: np.array([7.9, 24.1]))
    assert [claim(MODES).verdict for claim in (study.convex, study.smooth, study.bent)] == ["fails"] * 3


def laws():
    series = {study.FORETOLD: (0.65, 1.4), study.EXACT: (0.78, 1.1), study.TRUTH: (0.8, 1.0)}
    frame = pl.DataFrame([{"replicate": 0, "series": s, "weight": w, "variance": v} for s, (w, v) in series.items()])
    return Rows(study.Sampled(MODES, RUN, study.FORETOLD, 100, R), frame)


@pytest.mark.parametrize(("shift", "verdict"), [(0.0, "holds"), (0.04, "fails")])
def test_claims_on_modes(shift, verdict):
    one, fit = study.Sampled(MODES, RUN, study.ONE, 100, R), study.Sampled(MODES, RUN, study.FIT, 40, R)
    assert study.missed(rows(one, weight=0.65 + shift), laws()).verdict == verdict
    assert study.weighed(rows(fit, weight=0.78 - shift), laws()).verdict == verdict
    assert study.shaped(rows(fit, variance=1.1 * (1 + 5 * shift)), laws()).verdict == verdict
    posterior = study.Sampled(MODES, RUN, study.ONE, 25, R, 31)
    ratio = rows(posterior, error=0.9 + 5 * shift)
    assert study.log_concave(rows(posterior, error=1.0), ratio).verdict == verdict


def test_costs():
    """n m to the number of segments, in a geometric sum, against the gap."""
    costs = study.log_costs(36, 3.0)
    at_three = np.flatnonzero(study.DISTANCES == 3).item()
    assert costs[study.ADAPTIVE][at_three] == pytest.approx(np.log10(sum(36.0**k for k in range(1, 17))))
    assert costs[study.UNIFORM][at_three] == pytest.approx(99 * np.log10(36) + np.log10(36 / 35), abs=1e-3)
    assert costs[study.LANGEVIN][at_three] == pytest.approx(-np.log10(0.0143), abs=0.001)
    config = study.PRESETS["small"]
    assert study.dearer(config, study.ADAPTIVE).verdict == "holds"
    assert study.dearer(study.Config(product=2, modes=study.Modes(horizon=0.1)), study.ADAPTIVE).verdict == "fails"


def test_where_modes_are_on_a_grid():
    x = np.linspace(-4, 4, 801)
    p = np.where(x > 0, 0.8, 0.2)
    p[400] = 0
    assert cells.in_mode(x, p) == pytest.approx({"weight": 0.8, "variance": 16 / 12}, rel=1e-3)


def test_laws_are_what_samplers_do(size):
    """One segment and exact scores, coarse, against runs of the study's own cells: within 5 standard errors."""
    N = size(500, 20_000)
    run = study.Chains(4, (2, 6), 4, (2,), particles=N)
    case = study.Sampled(MODES, run, study.FORETOLD, 6, R)
    t = Rows(case, cells.foretell(case, CELL))
    one = study.Sampled(MODES, run, study.ONE, 6, R)
    seen = cells.sample(one, CELL)
    weight = study.told(t, study.FORETOLD, "weight")
    assert abs(seen["weight"].mean() - weight) < 5 * np.sqrt(weight * (1 - weight) / (R * N))
    assert seen["counted"][0] == one.calls == 4 * 4 * 6
    assert study.told(t, study.TRUTH, "weight") == pytest.approx(0.7992, abs=1e-3)


def test_fits_are_sampled_and_counted():
    run = study.Chains(fitted=(2, 4), moves=4, points=21, pace=0.5, particles=20)
    for dimension in (1, 2):
        case = study.Sampled(MODES, run, study.FIT, 4, 2, dimension)
        found = cells.sample(case, CELL)
        G, rounds = 21 if dimension == 1 else 105, sum(case.plan[1])
        assert found["evaluations"][0] == rounds * (G * 16 + study.SAMPLES)
        assert found.height == 2
