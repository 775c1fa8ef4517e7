"""The structure-function study: its judges on frontiers of known verdict, its tables, and its codes against plain sums."""

from functools import cache, lru_cache

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Found
from twopart.lab import Cell
from twopart.laws import StructureFunction
from twopart.studies._transformers import Converge, Shape
from twopart.studies.knowledge import structure_function as study
from twopart.studies.knowledge.structure_function import PRESETS, Counts, Family, Ideal, Ideals, Reader, Sentences
from twopart.studies.knowledge.structure_function_cells import (
    as_bytes,
    code_by_counts,
    code_by_transformer,
    code_ideally,
)
from twopart.worlds import Biographies, Excerpt

PEOPLE = Biographies(values=16, templates=4)
CORPUS = Sentences(PEOPLE, 0.6, 100, 2000, 5)
SIZES, ORACLE = np.geomspace(64, 60_000, 120), 5e5


@lru_cache
def excerpt(seed):
    return Excerpt(Biographies().world(0.6, 77 + seed), 2000)


@cache
def planted(seed=0, n=100_000, *, more=1.0, bend=1.0, behind=1.0):
    """Ideal codes on the law's curve: redundancy times `more`, sizes times `bend`, knowledge `behind` times as early."""
    law = StructureFunction(excerpt(seed), n)
    excess, (_, value) = more * law.data(SIZES / bend), law.missing(SIZES / bend)
    syntax, _ = law.missing(SIZES / bend / behind)
    model, data = np.append(SIZES, 32.0), ORACLE + np.append(excess, 2 * float(law.data(0.0)))
    columns = {
        "model": model,
        "data": data,
        "total": model + data,
        "facts": np.append(np.ones(120), 0.0),
        "fineness": np.append(np.ones(120), 0.0),
        "oracle": np.full(121, ORACLE),
        "bayes": np.full(121, ORACLE + law.bayes),
        "syntax": ORACLE + np.append(syntax, 1.0),
        "value": np.append(value, 1.0),
    }
    return Ideal("ideal", pl.DataFrame(columns), law)


def family(totals, name="counts"):
    """Codes with models of 1, 2, ... bits."""
    totals = np.array(totals, float)
    return Family(name, pl.DataFrame({"model": np.arange(1.0, 1 + len(totals)), "data": totals, "total": totals}))


@pytest.mark.parametrize("judge", [study.follows_the_law, study.syntax_first, study.bends, study.costs, study.one_part])
def test_codes_on_the_law_are_recognised(judge):
    claim = judge([planted(0), planted(1)])
    assert claim.verdict == "holds"
    if claim.predicted:
        assert claim.measured == pytest.approx(claim.predicted, rel=0.1)


@pytest.mark.parametrize(
    ("judge", "how"),
    [
        (study.follows_the_law, {"more": 1.3}),
        (study.syntax_first, {"behind": 1000.0}),
        (study.bends, {"bend": 5.0}),
        (study.costs, {"more": 1.4}),
        (study.one_part, {"more": 1.4}),
        (study.one_part, {"more": 0.3}),
    ],
)
def test_codes_off_the_law_fail(judge, how):
    assert judge([planted(0, **how), planted(1, **how)]).verdict == "fails"


@pytest.mark.parametrize(("power", "verdict"), [(0.0, "holds"), (0.5, "fails")])
def test_growth_is_judged(power, verdict):
    """Best models off by a power of the corpus's length."""
    lengths = (6_250, 25_000, 100_000)
    claim = study.grows([[planted(seed, n, bend=(n / 1e5) ** power) for n in lengths] for seed in (0, 1)])
    assert claim.verdict == verdict
    assert power or claim.measured == pytest.approx(claim.predicted, abs=0.05)


@pytest.mark.parametrize(("lack", "verdict"), [(0.0, "holds"), (10.0, "holds"), (30.0, "fails")])
def test_a_code_below_the_oracle_is_found(lack, verdict):
    claim = study.no_code_undercuts([planted(0), planted(1)], [family([9e5, 8e5]), family([ORACLE - lack])])
    assert (claim.verdict, claim.measured) == (verdict, -lack)
    assert "245 codes" in claim.rule


@pytest.mark.parametrize(("ratio", "verdict"), [(4.0, "holds"), (0.9, "fails")])
def test_others_are_compared_with_the_ideal(ratio, verdict):
    others = [family([9e5, ORACLE + ratio * planted().redundancy])]
    claim = study.nothing_is_shorter(planted(), others)
    assert (claim.verdict, claim.measured) == (verdict, pytest.approx(ratio))


@pytest.mark.parametrize(
    ("totals", "verdict"), [((9.0, 5.0, 8.0), "holds"), ((9.0, 6.0, 5.0), "fails"), ((5.0, 6.0, 9.0), "fails")]
)
def test_a_knee_lies_inside(totals, verdict):
    assert study.has_a_knee([family(totals)]).verdict == verdict


@pytest.mark.parametrize(("bits", "verdict"), [(4, "holds"), (6, "fails")])
def test_prequential_codes_are_compared(bits, verdict):
    claim = study.prequential_is_shorter([family([5, 7])], [family([9], "a"), family([bits], "b")])
    assert (claim.verdict, claim.measured) == (verdict, 5 / bits)
    assert "(counts)" in claim.rule
    assert "(b)" in claim.rule


@lru_cache
def found():
    """A tiny run of made-up codes: rows count up, and one of the peers is missing."""
    works, measured = study.cells(PRESETS["tiny"], 0), []
    for work in works:
        size = len(work.case.grid()) if isinstance(work.case, Ideals) else len(getattr(work.case, "methods", "123"))
        rows = {"model": np.arange(size) * 32, "data": 9000 - np.arange(size)}
        frame = pl.DataFrame({**rows, "total": rows["model"] + rows["data"]})
        if isinstance(work.case, Ideals):
            facts, fineness = np.array(work.case.grid()).T
            known = {"facts": facts, "fineness": fineness, "oracle": 5e3, "bayes": 6e3, "syntax": 6e3, "value": 1.0}
            frame = frame.with_columns(**{name: pl.lit(value) for name, value in known.items()})
        if work.function == "code_by_peers":
            frame = frame.with_columns(
                total=pl.Series([None, 90, 80]), code=pl.Series(["x", "y", "z"]), note=pl.lit("?")
            )
        measured += [(work.function, work.case, replicate, frame) for replicate in range(work.replicates)]
    return Found.collect(PRESETS["tiny"], measured)


def test_codes_of_the_text_stand_in_one_table():
    """Of the three codes on a line the hull has the ends; then come all others by length."""
    table = study.codes_of_text(found())
    assert table["kind"].to_list() == ["two parts"] * 3 + ["classic"] * 2 + ["prequential"] * 2 + ["classic"]
    assert table["code"].to_list()[3:] == ["z", "y", "context mixing, fast", "Pitman-Yor", "x"]
    assert table["total bits"].to_list()[-1] is None
    assert table["bits per byte"][3] == pytest.approx(80 / 3000)


def test_a_frontier_stands_beside_the_law():
    ideal = planted()
    table = study.codes_of_sentences(ideal, [family([9e5, 8e5])])
    law = table.filter(series="law")
    assert law["total beyond the oracle"].to_numpy() == pytest.approx(
        law["model bits"].to_numpy() + ideal.law.data(law["model bits"].to_numpy())
    )
    assert table.filter(series="counts")["data bits beyond the oracle"].to_list() == [4e5, 3e5]
    corners = table.filter(series="ideal")
    assert len(corners) == len(ideal.frontier)
    assert set(corners["data bits"] - ORACLE) == set(corners["data bits beyond the oracle"])


def test_worlds_differ_and_shorter_corpora_are_beginnings():
    ladder = [work.case.corpus for work in study.cells(PRESETS["tiny"], 5) if work.function == "code_ideally"]
    assert ladder[0].excerpt(0).world != ladder[0].excerpt(1).world
    short, whole = ladder[0].corpus(), ladder[-1].corpus()
    assert short == whole[: len(short)]
    assert len(whole) == 16 * len(short)


def test_ideal_codes_take_what_their_probabilities_say(tmp_path):
    case = Ideals(CORPUS, 8, 8)
    rows = code_ideally(case, Cell(tmp_path))
    assert rows.select("facts", "fineness").rows() == case.grid()
    said = (rows["syntax"] + rows["value"]).to_numpy()
    assert rows["data"].to_numpy() == pytest.approx(said, abs=100)
    everything = rows.filter((pl.col("facts") == 500) & (pl.col("fineness") == 8))
    assert everything["value"].item() == 0
    assert everything["syntax"].item() < everything["oracle"].item() + 100


def test_counts_are_asked_for_everything_but_names(tmp_path):
    data, coded = as_bytes(CORPUS.corpus())
    assert data.reshape(2000, -1).shape == (2000, 6)
    assert coded.reshape(2000, -1).sum(1).tolist() == [3] * 2000
    rows = code_by_counts(Counts(CORPUS, 3, (0.5, 8.0)), Cell(tmp_path))
    nothing = 2000 * (np.log2(5) + np.log2(4) + np.log2(16))
    assert np.all(np.diff(rows["model"]) < 0)
    assert np.all(rows["data"].to_numpy() < nothing)


def test_a_finer_transformer_is_larger_and_leaves_no_more(tmp_path):
    reports = []
    cell = Cell(tmp_path, on_progress=lambda done, total, note: reports.append(done / total))
    case = Reader(CORPUS, Shape(width=4), 2, (0.05, 1.0), Converge(batch=50, warmup=1))
    fine, coarse = code_by_transformer(case, cell).to_dicts()
    assert fine["model"] > coarse["model"]
    assert fine["data"] < coarse["data"]
    assert reports == sorted(reports)
    assert reports[-1] == pytest.approx(1)
