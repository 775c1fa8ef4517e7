"""The study of parallel generation: planted rows whose verdicts are known, a cell against a slow twin, and its page."""

import re
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Found, Rows
from twopart.studies.diffusion import parallel_generation as study
from twopart.studies.diffusion._parallel_lattices import (
    ADJACENT,
    AT_ONCE,
    GREEDY,
    PAR,
    RANDOM,
    TRUE,
    Decoding,
    Lattice,
)
from twopart.studies.diffusion.parallel_generation import PRESETS, Fit, Learned, Timed, Training

PAGE = Path(__file__).parents[3] / "docs/laws/parallel-generation.md"
GRID, FIELD = Lattice("Ising", 4, 0.44, 1), Lattice("Gaussian", 8, 2.0, 1)
SPREAD = np.array([-1, -0.3, 0.3, 1])


def about(value: float, spread: float = 1e-3) -> np.ndarray:
    return value + spread * SPREAD


def learned(family: str, bits: float = 0.0, agree: float = 0.0, n: int = 4) -> Rows[Learned]:
    """Replicates that cost so many bits beyond the law, and whose neighbours agree by so much more."""
    case = Learned(GRID, Decoding(family, n), Training())
    law, pairs = study.expected(GRID, case.way), study.agreement(GRID, case.way)
    parts = [pl.DataFrame({"axis": "run", "replicate": range(4), "bits": about(law + bits)})]
    for i in range(4):
        parts.append(pl.DataFrame({"axis": "pair", "replicate": i, "agree": pairs + agree + 1e-4 * SPREAD[i]}))
    return Rows(case, pl.concat(parts, how="diagonal_relaxed"), "learn")


def solved(par: float, none: float, near: float, random: float, greedy: float, case: Lattice = GRID) -> Rows[Lattice]:
    bits = {PAR: par, AT_ONCE: none, ADJACENT: near, GREEDY: greedy}
    rows = [{"family": f, "n": 4, "draw": 0, "group": 1, "bits": b, "speed": 2.0} for f, b in bits.items()]
    rows += [{**rows[0], "family": RANDOM, "draw": d, "bits": random + 0.1 * d - 0.1} for d in range(3)]
    return Rows(case, pl.DataFrame(rows).with_columns(replicate=0), "solve")


def test_what_transformers_pay_is_judged_against_the_law() -> None:
    base = learned("raster", 0.004, n=1)
    for family, off in ((PAR, 0.03), (ADJACENT, 0.11), (AT_ONCE, 0.06)):
        assert study.pays(learned(family, 0.01), base).verdict == "holds"
        assert study.pays(learned(family, off), base).verdict == "fails"
        assert study.pays(learned(family, -off), base).verdict == "fails"
    assert study.pays(learned(ADJACENT), base).predicted == pytest.approx(0.8115, abs=1e-4)
    par, none = learned(PAR), learned(AT_ONCE)
    assert study.start_is_worth(none, par).verdict == "holds"
    assert study.start_is_worth(learned(AT_ONCE, 0.05), par).verdict == "fails"
    assert study.costs_more(learned(RANDOM), par).verdict == "holds"
    assert study.costs_more(learned(RANDOM, -0.5), par).verdict == "fails"


def test_laws_of_orders_are_judged() -> None:
    good, bad = solved(0.03, 0.3, 0.8, 0.2, 0.01), solved(0.3, 0.2, 0.1, 0.2, 0.4)
    for judged in (study.far_is_cheap, study.needs_its_start, study.greedy_is_better):
        assert judged(good).verdict == "holds"
        assert judged(bad).verdict == "fails"
    assert study.far_is_cheap(solved(0.03, 0.3, 0.15, 0.2, 0.0)).verdict == "fails", "neighbours cheaper than random"
    assert study.far_is_cheap(good).measured == pytest.approx(0.17), "the mean over draws is 0.2"


def test_what_is_generated_is_judged() -> None:
    for family in (PAR, AT_ONCE, ADJACENT):
        assert study.agrees(learned(family, agree=0.002)).verdict == "holds"
        assert study.agrees(learned(family, agree=0.008)).verdict == "fails"
    claim = study.agrees(learned(ADJACENT))
    assert "12 pairs" not in claim.rule
    assert claim.predicted is not None
    assert claim.predicted < study.agreement(GRID, TRUE)[GRID.apart(Decoding(ADJACENT))].mean() - 0.03


def test_pairs_apart_by_hand() -> None:
    """4 x 4: 12 pairs side by side, of which 4 across the middle; the same from top to bottom. adjacent-4 draws rows."""
    side_by_side, above = np.array([False, True, False] * 4), np.repeat([False, True, False], 4)
    assert GRID.apart(Decoding(PAR)).tolist() == [*side_by_side, *above]
    rows = np.repeat([False, True, True, True], 3)  # the first row is the start
    assert GRID.apart(Decoding(ADJACENT)).tolist() == [*rows, *[False] * 12]


def test_distance_fits_and_speed_are_judged() -> None:
    config = replace(PRESETS["tiny"], reach=(1.0, 2.0, 4.0))

    def fields(slope: float) -> Found:
        parts = [
            solved(1.0, float(np.exp(slope * r)), 1.0, 1.0, 1.0, Lattice("Gaussian", 8, 4 / r, 1)) for r in config.reach
        ]
        return Found(config, tuple(parts))

    assert study.falls_with_distance(fields(-2.1)).verdict == "holds"
    assert study.falls_with_distance(fields(-1.7)).verdict == "fails"
    assert study.falls_with_distance(fields(-2.1)).measured == pytest.approx(-2.1)

    def fitted(bits: float) -> Rows[Fit]:
        columns = {"family": ADJACENT, "n": 4, "law": 3.0, "replicate": range(4), "bits": about(bits)}
        return Rows(Fit(FIELD, 1000), pl.DataFrame(columns), "fit")

    assert study.fitted_pays(fitted(3.3), Decoding(ADJACENT)).verdict == "holds"
    assert study.fitted_pays(fitted(3.4), Decoding(ADJACENT)).verdict == "fails"

    def timed(count: int, seconds: float) -> Rows[Timed]:
        one = pl.DataFrame({"replicate": range(4), "n": 1, "passes": 144, "seconds": about(10.0)})
        four = pl.DataFrame({"replicate": range(4), "n": 4, "passes": count, "seconds": about(seconds)})
        return Rows(Timed(12, 1, 4), pl.concat([one, four]), "generate")

    assert study.passes(timed(39, 3.0), 4).verdict == "holds"
    assert study.passes(timed(38, 3.0), 4).verdict == "fails"
    assert study.is_faster(timed(39, 10 / 3.3)).verdict == "holds"
    assert study.is_faster(timed(39, 10 / 1.8)).verdict == "fails"
    assert study.is_faster(timed(39, 10 / 3.9)).verdict == "fails", "no pass is cheaper than that of one token"


def test_larger_grids_are_solved_by_samples() -> None:
    """Side 5 has no table: losses are means over samples, 0 for single tokens."""
    grid = Lattice("Ising", 5, 0.3, 2)
    bits = grid.loss(grid.order(Decoding(ADJACENT, 8)))
    assert bits[:8].tolist() == pytest.approx([0] * 8, abs=1e-12)
    assert 0.1 < bits.sum() < 1.5
    assert GREEDY not in {way.family for way in grid.decodings}
    assert np.isnan(study.agreement(grid, TRUE)).all()


def test_the_page_opens_with_lines_that_run() -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)[0]
    names: dict = {}
    with redirect_stdout(StringIO()) as said:
        exec(code.replace("steps=300", "steps=1").replace("tolerance=0.5", "0.5, 1, 4"), names)
    assert said.getvalue().startswith(("PAR", "greedy"))
    assert (names["new"].shape, names["bits"].shape) == ((16, 64), (100, 64))
    assert int(names["new"].max()) <= 3
