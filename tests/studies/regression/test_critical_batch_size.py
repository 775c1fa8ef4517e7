"""The critical batch size: judges on rows whose verdict is known, runs against the law, the ladder against a plain loop."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Found, Rows
from twopart.fits import critical_batch_size
from twopart.lab import Cell
from twopart.studies.regression import critical_batch_size as study
from twopart.studies.regression.critical_batch_size import (
    GROUPS,
    Config,
    Descent,
    Ladder,
    Runs,
    Spectrum,
    Squares,
    Train,
)
from twopart.studies.regression.critical_batch_size_cells import averaged_sgd, descend, solve

SQUARES = Squares(sources=(1.2, 3.0), directions=(8, 30, 32), samples=(128, 512))
LADDER = Ladder((2, 4), (400, 1600), (8, 16, 64), (1e-2, 2e-2), replicates=3)
CONFIG = Config(SQUARES, Runs((128, 512), 100), LADDER)
SPECTRUM = Spectrum(SQUARES, 3.0, 8)


def solved(source, directions, power=0.0, noise=3.0):
    """Critical batches of 20 D^power."""
    D = np.array(SQUARES.samples)
    frame = pl.DataFrame({"samples": D, "critical": 20.0 * D**power, "noise_scale": noise * 20.0 * D**power})
    return Rows(Spectrum(SQUARES, source, directions), frame, "solve")


def descended(samples, later=1.0, higher=1.0):
    """Mean risks on the law: groups 1 % apart; runs at larger batches are `later`, and all are `higher`."""
    case = Descent(SPECTRUM, samples, GROUPS)
    near, rows, law = higher * (1 + 0.01 * np.linspace(-1, 1, GROUPS)), [], case.law
    for k in dict.fromkeys((0, *law.around)):
        at, best = case.marks(k), law.best[k]
        which = list(SPECTRUM.problem.averages).index(best.average)
        curve = SPECTRUM.problem.excess(np.full(at[-1], best.rate), law.batch[k])[:, which]
        risk = curve[-1:] if k == 0 else np.interp(np.array(at) / later, np.arange(1, at[-1] + 1), curve)
        frames = [pl.DataFrame({"replicate": g, "step": at, "excess": one * risk}) for g, one in enumerate(near)]
        rows.append(pl.concat(frames).with_columns(batch=pl.lit(float(law.batch[k]))))
    return Rows(case, pl.concat(rows), "descend")


def planted(data_power=0.7, size_power=0.0, replicates=3):
    """Losses 1000/D at the steps T(B) = a + c/B of each D; all but one rate and average take half as long again."""
    config = replace(CONFIG, ladder=replace(LADDER, replicates=replicates))
    parts = []
    for width in LADDER.widths:
        for batch in LADDER.batches:
            for rate in LADDER.rates:
                case = Train(config.ladder, width, batch, rate, 5)
                frames = []
                for r in range(replicates):
                    for average in (0.0, 0.9):
                        slow = 1.0 if (rate, average) == (2e-2, 0.9) else 1.5
                        T = []
                        for D in LADDER.sentences:
                            ratio = critical_ratio(r, D, width, data_power, size_power)
                            T.append(round(slow * D / 8 * (1 + ratio / batch) / (1 + ratio / 8), 9))
                        loss = [1e3 / D for D in LADDER.sentences]
                        frames.append(pl.DataFrame({"replicate": r, "average": average, "step": T, "loss": loss}))
                frame = pl.concat(frames).with_columns(params=10 * width**2)
                parts.append(Rows(case, frame, "train"))
    return Found(config, tuple(parts))


def critical_ratio(replicate, data, width, data_power, size_power):
    """c/a that makes B* 20 (D/400)^p (N/40)^q, replicates 2 % apart."""
    critical = (1 + 0.02 * replicate) * 20 * (data / 400) ** data_power * (width / 2) ** (2 * size_power)
    return (critical - 1.2 * 8) / 0.2


def test_the_published_table():
    claims = [study.reproduced("85M"), study.published_power()]
    assert {claim.verdict for claim in claims} == {"holds"}
    assert claims[0].measured == pytest.approx(745.3, abs=0.05)


def test_runs_off_the_law_are_seen():
    assert study.arrives(descended(512)).verdict == "holds"
    assert study.arrives(descended(512, higher=1.05)).verdict == "fails"
    held = study.measured_slope([descended(128), descended(512)])
    assert held.verdict == "holds"
    assert held.measured == pytest.approx(held.predicted, abs=0.02)
    assert study.measured_slope([descended(128), descended(512, later=1.15)]).verdict == "fails"


def test_slopes_sizes_and_noise_are_judged():
    assert study.constant(solved(1.2, 32)).verdict == "holds"
    assert study.constant(solved(1.2, 32, power=0.2)).verdict == "fails"
    largest = solved(3.0, 32)
    assert study.closely(solved(3.0, 30), largest).verdict == "holds"
    assert study.closely(solved(3.0, 30, power=0.03), largest).verdict == "fails"
    assert study.loosely(solved(3.0, 8, power=0.025), largest).verdict == "holds"
    assert study.loosely(solved(3.0, 8, power=0.05), largest).verdict == "fails"
    assert study.other_than_noise(solved(3.0, 32)).verdict == "holds"
    assert study.other_than_noise(solved(3.0, 32, noise=0.5)).verdict == "holds"
    assert study.other_than_noise(solved(3.0, 32, noise=1.2)).verdict == "fails"


def test_ladders_are_judged():
    grows, still, wide = planted(), planted(data_power=0.02), planted(size_power=0.6)
    claims = study.data_matters(grows), study.size_does_not(grows)
    assert [claim.verdict for claim in claims] == ["holds"] * 2
    assert claims[0].measured == pytest.approx(0.7, abs=0.01)
    assert study.data_matters(still).verdict == "fails"
    assert study.size_does_not(wide).verdict == "fails"
    assert study.size_does_not(wide).measured == pytest.approx(0.6 - 0.35, abs=0.01)
    assert study.data_matters(planted(replicates=1)).verdict == "inconclusive"


def test_the_ladder_against_a_plain_loop():
    frame = study.ladder(planted())
    assert len(frame) == 2 * 3 * 2
    row = frame.row(5, named=True)  # width 2, replicate 1, the larger data
    assert (row["width"], row["sentences"], row["params"]) == (2, 1600, 40)
    ratio = critical_ratio(1, 1600, 2, 0.7, 0.0)
    expected = [200 * (1 + ratio / B) / (1 + ratio / 8) for B in LADDER.batches]
    assert row["steps"] == pytest.approx(expected)
    assert row["critical"] == pytest.approx(1.02 * 20 * 4**0.7)
    assert row["critical"] == pytest.approx(critical_batch_size(LADDER.batches, expected).value)


def test_what_a_cell_measures(tmp_path, size):
    """Runs of a cell, and the plain average of the last weights, against the law: 5 standard errors, 5 % is seen."""
    case = Descent(SPECTRUM, 128, size(2000, 20_000))
    t = Rows(case, descend(case, Cell(tmp_path, seed=1)), "descend")
    assert study.arrives(t).measured == pytest.approx(1, abs=0.04)
    law = case.law
    parts = case.apart(study.excesses(t))
    assert [part.shape for part in parts] == [(GROUPS, len(case.marks(k))) for k in (0, *law.around)]
    one = law.best[law.around[1]]
    random, best = torch.Generator().manual_seed(2), one._replace(average=0.9)
    found = averaged_sgd(SPECTRUM.problem, 16, best, 10_000, [1, 5], random, lambda share: None)
    expected = SPECTRUM.problem.excess(np.full(5, one.rate), 16)[:, list(SPECTRUM.problem.averages).index(0.9)]
    for k, t in enumerate((0, 4)):
        error = found[:, k].std() / np.sqrt(len(found))
        assert error < 0.02 * expected[t]
        assert abs(found[:, k].mean() - expected[t]) < 5 * error
    rows = solve(SPECTRUM, Cell(tmp_path))
    assert rows.filter(samples=128)["critical"][0] == law.critical
    assert rows["samples"].to_list() == list(SQUARES.samples)
