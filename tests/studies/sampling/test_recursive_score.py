"""Recursive scores: judges on rows whose verdict is known, cells beside plain sums, laws of the modes."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Rows
from twopart.lab import Cell
from twopart.studies.sampling import recursive_score as study
from twopart.studies.sampling import recursive_score_cells as cells

RUN, R = study.Chains(particles=50), 4
CELL = Cell(Path(), seed=5)


def rows(case, **columns):
    """One row for each replicate, 0.1 % apart."""
    spread = np.linspace(0.999, 1.001, R)
    return Rows(case, pl.DataFrame({"replicate": range(R), **{name: v * spread for name, v in columns.items()}}))


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "holds"), (1.06, "fails")])
def test_gaussian_claims(factor, verdict):
    """An error of a twentieth in a variance is seen, one of four standard errors in a mean."""
    case = study.Gaussian(4, 100, 10**6)
    found = cells.estimate(study.Gaussian(4, 100, 100), CELL)
    law, drawn = (found.row(k, named=True) for k in (1, 2))
    value, variance = law["law_mean"], law["law"]
    off = (factor - 1) / 0.06 * 4 * np.sqrt(variance / (100 * R))
    frame = rows(case, variance=variance * factor).frame.with_columns(mean=value + off, law_mean=value, law=variance)
    level = frame.with_columns(of=pl.lit("level 2"))
    assert study.spread_as_foretold(Rows(case, level), "level 2").verdict == verdict
    assert study.right_on_average(Rows(case, level.with_columns(variance=variance)), "level 2").verdict == verdict
    samples = rows(case, variance=drawn["law"] * factor).frame.with_columns(law=drawn["law"], of=pl.lit("samples"))
    assert study.samples_spread(Rows(case, samples)).verdict == verdict
    assert found["calls"].to_list() == [32, 32**2, 6 * (32 + 32**2)]
    assert study.counted([Rows(case, found.with_columns(counted=factor * pl.col("counted")))]).verdict == verdict


def laws(least=8.0, most=17.0, twice=None):
    """Of weights and variances made up, and of curvatures."""
    series = {study.FORETOLD: (0.65, 1.4), study.EXACT: (0.78, 1.1), study.TRUTH: (0.8, 1.0)}
    frame = [{"replicate": 0, "series": s, "weight": w, "variance": v} for s, (w, v) in series.items()]
    twice = 1 / np.expm1(2 * np.log(17 / 16)) - 8 if twice is None else twice
    frame += [{"replicate": 0, "series": "1 S", "least": least, "most": most}]
    frame += [{"replicate": 0, "series": "2 S", "least": twice, "most": 9.0}]
    return Rows(study.Sampled(RUN, study.FORETOLD, 100), pl.DataFrame(frame))


def test_curvatures():
    judged = study.convex, study.smooth, study.bent
    assert [claim(laws()).verdict for claim in judged] == ["holds"] * 3
    assert [claim(laws(7.9, 24.1, 0.1)).verdict for claim in judged] == ["fails"] * 3


@pytest.mark.parametrize(("shift", "verdict"), [(0.0, "holds"), (0.04, "fails")])
def test_claims_on_modes(shift, verdict):
    one, fit = study.Sampled(RUN, study.ONE, 100), study.Sampled(RUN, study.FIT, 40)
    assert study.missed(rows(one, weight=0.65 + shift), laws()).verdict == verdict
    assert study.weighed(rows(fit, weight=0.78 - shift), laws()).verdict == verdict
    assert study.shaped(rows(fit, variance=1.1 * (1 + 5 * shift)), laws()).verdict == verdict
    posterior = study.Sampled(RUN, study.ONE, 25, 31)
    ratio = rows(posterior, error=0.9 + 5 * shift)
    assert study.log_concave(rows(posterior, error=1.0), ratio).verdict == verdict


def test_costs():
    """n m to the number of segments, in a geometric sum, against the gap; of a fiftieth of the decades the claims fail."""
    costs = study.log_costs()
    at_three = np.flatnonzero(study.DISTANCES == 3).item()
    assert costs[study.ADAPTIVE][at_three] == pytest.approx(np.log10(sum(36.0**k for k in range(1, 17))))
    assert costs[study.UNIFORM][at_three] == pytest.approx(99 * np.log10(36) + np.log10(36 / 35), abs=1e-3)
    assert costs[study.LANGEVIN][at_three] == pytest.approx(-np.log10(0.0143), abs=0.001)
    for series in (study.UNIFORM, study.ADAPTIVE):
        assert study.dearer(series, costs).verdict == "holds"
        assert study.dearer(series, costs | {series: costs[series] / 50}).verdict == "fails"


def test_where_modes_are_on_a_grid():
    x = np.linspace(-4, 4, 801)
    p = np.where(x > 0, 0.8, 0.2)
    p[400] = 0
    assert cells.in_mode(x, p) == pytest.approx({"weight": 0.8, "variance": 16 / 12}, rel=1e-3)


def test_laws_are_what_samplers_do(size):
    """One segment and curvatures, coarse, against a run of the study's own cell and the Hessian's ends: 5 standard errors."""
    N = size(2000, 80_000)
    run = study.Chains(3.0, 4, (2, 6), 2, (2,), particles=N)
    t = Rows(
        study.Sampled(run, study.FORETOLD, 6),
        cells.foretell(study.Sampled(run, study.FORETOLD, 6), CELL).with_columns(replicate=0),
    )
    one = study.Sampled(run, study.ONE, 6)
    seen, weight = cells.sample(one, CELL).row(0, named=True), study.told(t, study.FORETOLD, "weight")
    assert abs(seen["weight"] - weight) < 5 * np.sqrt(weight * (1 - weight) / N)
    assert seen["counted"] == one.calls == 2 * 4 * 6
    assert study.told(t, study.TRUTH, "weight") == pytest.approx(0.7992, abs=1e-3)
    assert (study.told(t, "1 S", "least"), study.told(t, "1 S", "most")) == pytest.approx((8, 17), abs=1e-4)
    assert study.bent(t).verdict == "holds"


def test_fits_are_sampled_and_counted():
    run = study.Chains(fitted=(2, 4), moves=4, points=21, pace=0.5, particles=20)
    for dimension in (1, 2):
        case = study.Sampled(run, study.FIT, 4, dimension)
        G, rounds = 21 if dimension == 1 else 105, sum(case.plan[1])
        assert cells.sample(case, CELL)["evaluations"].item() == rounds * (G * 16 + study.SAMPLES)
