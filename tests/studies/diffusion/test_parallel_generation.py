"""The study of parallel generation: planted rows whose verdicts are known, a cell against a slow twin, and its page."""

import re
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Found, Rows
from twopart.studies.diffusion import parallel_generation as study
from twopart.studies.diffusion.parallel_generation import (
    ADJACENT,
    AT_ONCE,
    FITTED,
    PAR,
    PRESETS,
    RANDOM,
    TRUE,
    Decoding,
    Fit,
    Lattice,
    Learned,
    Timed,
    Training,
    apart,
    losses,
)

PAGE = Path(__file__).parents[3] / "docs/laws/parallel-generation.md"
GRID, FIELD = Lattice("Ising", 4, 0.44, 1), Lattice("Gaussian", 8, 2.0, 1)
SPREAD = np.array([-1, -0.3, 0.3, 1])


def about(value: float, spread: float = 1e-3) -> np.ndarray:
    return value + spread * SPREAD


def learned(family: str, bits: float = 0.0, agree: float = 0.0, n: int = 4) -> Rows[Learned]:
    """Replicates that cost so many bits beyond the law, and whose neighbours agree by so much more."""
    case = Learned(GRID, Decoding(family, n), Training())
    law, pairs = losses(GRID, case.way).sum(), study.agreement(GRID, case.way)
    parts = [pl.DataFrame({"axis": "run", "replicate": range(4), "bits": about(law + bits)})]
    for i in range(4):
        parts.append(pl.DataFrame({"axis": "pair", "replicate": i, "agree": pairs + agree + 1e-4 * SPREAD[i]}))
    return Rows(case, pl.concat(parts, how="diagonal_relaxed"), "learn")


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch):
    """Every order loses what the function says, all with one group; random ones 0.1 more and less in turn."""

    def plant(bits: Callable[[Lattice, str], float]) -> None:
        def told(grid: Lattice, way: Decoding, draw: int = 0) -> np.ndarray:
            return np.array([bits(grid, way.family) + 0.1 * (-1) ** draw * (way.family == RANDOM)])

        monkeypatch.setattr(study, "losses", told)

    return plant


def test_what_transformers_pay_is_judged_against_the_law() -> None:
    base = learned("raster", 0.004, n=1)
    for family, off in ((PAR, 0.03), (ADJACENT, 0.11), (AT_ONCE, 0.06)):
        assert study.pays(learned(family, 0.01), base, "").verdict == "holds"
        assert study.pays(learned(family, off), base, "").verdict == "fails"
        assert study.pays(learned(family, -off), base, "").verdict == "fails"
    assert study.pays(learned(ADJACENT), base, "").predicted == pytest.approx(0.8115, abs=1e-4)
    par, none = learned(PAR), learned(AT_ONCE)
    assert study.start_is_worth(none, par, "").verdict == "holds"
    assert study.start_is_worth(learned(AT_ONCE, 0.05), par, "").verdict == "fails"
    assert study.costs_more(learned(RANDOM), par, "").verdict == "holds"
    assert study.costs_more(learned(RANDOM, -0.5), par, "").verdict == "fails"


@pytest.mark.parametrize(("par", "near", "verdict"), [(0.03, 0.8, "holds"), (0.3, 0.8, "fails"), (0.03, 0.15, "fails")])
def test_orders_are_judged_by_law(planted, par: float, near: float, verdict: str) -> None:
    """Random orders lose 0.2 in the mean."""
    planted(lambda grid, family: {PAR: par, RANDOM: 0.2, ADJACENT: near}[family])
    claim = study.far_is_cheap(GRID)
    assert claim.verdict == verdict
    assert claim.measured == pytest.approx(min(0.2 - par, near - 0.2))


def test_what_is_generated_is_judged() -> None:
    for family in (PAR, AT_ONCE, ADJACENT):
        assert study.agrees(learned(family, agree=0.002)).verdict == "holds"
        assert study.agrees(learned(family, agree=0.008)).verdict == "fails"
    claim = study.agrees(learned(ADJACENT))
    assert "12 pairs" not in claim.rule
    assert claim.predicted is not None
    assert claim.predicted < study.agreement(GRID, TRUE)[apart(4, Decoding(ADJACENT))].mean() - 0.03


def test_pairs_apart_by_hand() -> None:
    """4 x 4: 12 pairs side by side, of which 4 across the middle; the same from top to bottom. adjacent-4 draws rows."""
    side_by_side, above = np.array([False, True, False] * 4), np.repeat([False, True, False], 4)
    assert apart(4, Decoding(PAR)).tolist() == [*side_by_side, *above]
    rows = np.repeat([False, True, True, True], 3)  # the first row is the start
    assert apart(4, Decoding(ADJACENT)).tolist() == [*rows, *[False] * 12]


@pytest.mark.parametrize(("slope", "verdict"), [(-2.1, "holds"), (-1.7, "fails")])
def test_distance_is_judged(planted, slope: float, verdict: str) -> None:
    planted(lambda grid, family: float(np.exp(slope * grid.side / 2 / grid.parameter)))
    config = replace(PRESETS["tiny"], reach=(1.0, 2.0, 4.0))
    claim = study.falls_with_distance(Found(config, (Rows(Fit(FIELD, 1000), pl.DataFrame(), "fit"),)))
    assert claim.verdict == verdict
    assert claim.measured == pytest.approx(slope)


def test_fits_and_speed_are_judged() -> None:
    near, pairs = Decoding(ADJACENT), 15 * 6  # 15 groups of 4 come at once
    law = losses(FIELD, near).sum() - pairs / (2 * 1000 * np.log(2))

    def fitted(bits: float) -> Rows[Fit]:
        columns = {"way": str(near), "replicate": range(4), "bits": about(bits)}
        return Rows(Fit(FIELD, 1000), pl.DataFrame(columns), "fit")

    assert near in FITTED
    assert study.fitted_pays(fitted(law), near).predicted == pytest.approx(law)
    assert study.fitted_pays(fitted(1.1 * law + 0.04), near).verdict == "holds"
    assert study.fitted_pays(fitted(1.1 * law + 0.06), near).verdict == "fails"

    def timed(count: int, seconds: float) -> Rows[Timed]:
        one = pl.DataFrame({"replicate": range(4), "timed": True, "n": 1, "passes": 144, "seconds": about(10.0)})
        four = pl.DataFrame({"replicate": range(4), "timed": True, "n": 4, "passes": count, "seconds": about(seconds)})
        return Rows(Timed(12, 1, 4), pl.concat([one, four]), "generate")

    assert study.passes(timed(39, 3.0), 4).verdict == "holds"
    assert study.passes(timed(38, 3.0), 4).verdict == "fails"
    assert study.is_faster(timed(39, 10 / 3.3)).verdict == "holds"
    assert study.is_faster(timed(39, 10 / 1.8)).verdict == "fails"
    assert study.is_faster(timed(39, 10 / 3.9)).verdict == "fails", "no pass is cheaper than that of one token"


def test_larger_grids_are_solved_by_samples() -> None:
    """Side 5 has no table: losses are means over samples, 0 for single tokens."""
    grid = Lattice("Ising", 5, 0.3, 2)
    bits = losses(grid, Decoding(ADJACENT, 16))
    assert bits[:16].tolist() == [0] * 16
    assert 0.1 < bits[16] < 1.5
    assert np.isnan(study.agreement(grid, TRUE)).all()


def test_the_page_opens_with_lines_that_run() -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)[0]
    names: dict = {}
    with redirect_stdout(StringIO()) as said:
        exec(code.replace("steps=300", "steps=1, batch=8").replace("tolerance=0.5", "0.5, 1, 2"), names)
    assert said.getvalue().startswith(("PAR", "greedy"))
    assert (names["new"].shape, names["bits"].shape) == ((16, 64), (100, 64))
    assert int(names["new"].max()) <= 3
