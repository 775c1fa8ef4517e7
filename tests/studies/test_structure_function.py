"""The structure-function study: its judges on frontiers of known verdict, its pieces against plain sums, and real runs."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twopart.studies._ladder import biographies, shape

from tests.studies.resuming import ends_as_undisturbed
from twopart._checks import InputError
from twopart.cli import main
from twopart.codes import bayes_code, oracle_code
from twopart.lab import Cell
from twopart.studies.structure_function import PRESETS, Config, cells, claims, corpora, plan, study, text, transformers
from twopart.studies.structure_function.cells import IdealCell
from twopart.studies.structure_function.corpora import Sentences, as_bytes, text_of
from twopart.studies.structure_function.evidence import Family, Ideal, hull

SIZES = np.geomspace(64, 60_000, 200)


def planted(seed=0, n=100_000, *, more=1.0, bend=1.0, behind=1.0):
    """Ideal codes on the law's curve: redundancy times `more`, sizes times `bend`, knowledge `behind` times as early."""
    cell = IdealCell("planted", Sentences(biographies(0.6, 77 + seed), 2000, n), 40, 16)
    probe = Ideal(cell, pl.DataFrame())
    law, nothing = probe.law(SIZES / bend), probe.law(np.array(0.0))
    excess = np.append(more * n * law.total, 2 * n * float(nothing.total))
    columns = {
        "model": np.append(SIZES, 32.0),
        "data": 5e5 + excess,
        "facts": np.append(np.ones(200), 0.0),
        "fineness": np.append(np.ones(200), 0.0),
        "oracle": np.full(201, 5e5),
        "bayes": np.full(201, 5e5 + probe.lawful_bayes),
        "syntax": 5e5 + np.append(n * probe.law(SIZES / bend / behind).syntax, n * float(nothing.syntax)),
        "value": np.append(n * law.value, n * float(nothing.value)),
    }
    return Ideal(cell, pl.DataFrame(columns))


def ladders(power=0.0):
    """Three lengths in two worlds, best models off by a power of the length."""
    return [[planted(seed, n, bend=(n / 1e5) ** power) for n in (6_250, 25_000, 100_000)] for seed in (0, 1)]


def others(ratio=4.0, oracle=5e5):
    ideal = planted()
    return [Family("counts", np.array([1e3, 2e3]), *(np.array([9e5, oracle + ratio * ideal.redundancy]),) * 2)]


JUDGES = (claims.follows_the_law, claims.syntax_first, claims.bends, claims.costs, claims.one_part)


@pytest.mark.parametrize("judge", JUDGES)
def test_codes_on_the_law_are_recognised(judge):
    claim = judge([planted(0), planted(1)])
    assert claim.verdict == "holds"
    if claim.predicted:
        assert claim.measured == pytest.approx(claim.predicted, rel=0.1)


@pytest.mark.parametrize(
    ("judge", "how"),
    [
        (claims.follows_the_law, {"more": 1.3}),
        (claims.syntax_first, {"behind": 1000.0}),
        (claims.bends, {"bend": 5.0}),
        (claims.costs, {"more": 1.4}),
        (claims.one_part, {"more": 1.4}),
        (claims.one_part, {"more": 0.3}),
    ],
)
def test_codes_off_the_law_fail(judge, how):
    assert judge([planted(0, **how), planted(1, **how)]).verdict == "fails"


def test_growth_is_judged():
    claim = claims.grows(ladders())
    assert claim.verdict == "holds"
    assert claim.measured == pytest.approx(claim.predicted, abs=0.05)
    assert claims.grows(ladders(0.5)).verdict == "fails"


@pytest.mark.parametrize(("lack", "verdict"), [(0.0, "holds"), (10.0, "holds"), (30.0, "fails")])
def test_a_code_below_the_oracle_is_found(lack, verdict):
    ideals = [planted(0), planted(1)]
    codes = [*others(), Family("lucky", np.array([10.0]), *(np.array([5e5 - lack]),) * 2)]
    assert claims.no_code_undercuts(ideals, codes).verdict == verdict


@pytest.mark.parametrize(("ratio", "verdict"), [(4.0, "holds"), (0.9, "fails")])
def test_others_are_compared_with_the_ideal(ratio, verdict):
    claim = claims.nothing_is_shorter(planted(), others(ratio))
    assert (claim.verdict, claim.measured) == (verdict, pytest.approx(ratio))


@pytest.mark.parametrize(
    ("totals", "verdict"), [((9.0, 5.0, 8.0), "holds"), ((9.0, 6.0, 5.0), "fails"), ((5.0, 6.0, 9.0), "fails")]
)
def test_a_knee_lies_inside(totals, verdict):
    family = Family("counts", np.array([1.0, 2.0, 3.0]), np.array(totals), np.array(totals))
    assert claims.has_a_knee([family]).verdict == verdict


@pytest.mark.parametrize(("bits", "verdict"), [(4, "holds"), (6, "fails")])
def test_prequential_codes_are_compared(bits, verdict):
    family = Family("counts", np.ones(2), np.array([5.0, 7.0]), np.array([5.0, 7.0]))
    one_part = pl.DataFrame({"code": ["a", "b"], "total": [9, bits]})
    assert claims.prequential_is_shorter([family], one_part).verdict == verdict


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=25))
def test_a_hull_lies_below_all_points(points):
    """By definition: no point is below a side, it begins at the smallest model and ends at the least data, and it is convex."""
    x, y = np.array(points, float).T
    corners = hull(x, y)
    assert np.all(np.diff(x[corners]) > 0)
    assert np.all(np.diff(y[corners]) < 0)
    assert (x[corners[0]], y[corners[-1]]) == (x.min(), y.min())
    below = np.interp(x, x[corners], y[corners], right=y.min())
    assert np.all(y >= below - 1e-9)
    slopes = np.diff(y[corners]) / np.diff(x[corners])
    assert np.all(np.diff(slopes) > 0)


@pytest.mark.slow
def test_the_bayes_codes_expectation_is_the_mean_over_worlds():
    """Simulated: 60 worlds, each with its own facts, templates and sample; the redundancy less what is expected is zero."""
    gaps = []
    for seed in range(60):
        corpus = Sentences(biographies(0.6, 1000 + seed, values=16, templates=5), 100, 1500)
        sample = corpus.corpus
        bayes, oracle = bayes_code(sample), oracle_code(sample)
        spent = float((bayes.syntax + bayes.value).sum() - oracle.syntax.sum())
        gaps.append(spent - Ideal(IdealCell("", corpus, 8, 8), pl.DataFrame()).lawful_bayes)
    assert abs(np.mean(gaps)) < 4.9 * np.std(gaps) / np.sqrt(len(gaps)) + 1


def test_ideal_codes_take_what_their_probabilities_say(tmp_path):
    config = IdealCell("", Sentences(biographies(0.6, 5, values=16, templates=4), 100, 2000), 8, 8)
    found = cells.code_ideally(config, Cell(tmp_path))
    assert found.height == len(config.facts()) * len(config.finenesses())
    said = (found["syntax"] + found["value"]).to_numpy()
    assert found["data"].to_numpy() == pytest.approx(said, abs=100)
    everything = found.filter((pl.col("facts") == 500) & (pl.col("fineness") == 8))
    assert everything["value"].item() == 0
    assert everything["syntax"].item() < everything["oracle"].item() + 100


def test_counts_are_asked_for_everything_but_names(tmp_path):
    corpus = Sentences(biographies(0.6, 5, values=16, templates=4), 100, 2000)
    data, coded = as_bytes(corpus.corpus)
    assert data.reshape(2000, -1).shape == (2000, 6)
    assert coded.reshape(2000, -1).sum(1).tolist() == [3] * 2000
    found = cells.code_by_counts(cells.CountCell("", corpus, 3, (0.5, 8.0)), Cell(tmp_path))
    nothing = 2000 * (np.log2(5) + np.log2(4) + np.log2(16))
    assert np.all(np.diff(found["model"]) < 0)
    assert np.all(found["data"].to_numpy() < nothing)


def test_a_transformers_code_takes_its_loss(tmp_path):
    """Against the losses that training measures; and it is decoded from names alone."""
    from twopart.learners import SymbolStream, Transformer, evaluate
    from twopart.lossless.neural.weights import pack
    from twopart.worlds import SymbolRendering

    corpus = Sentences(biographies(0.6, 5, values=16, templates=4), 100, 5000)
    config = shape(corpus.world, 4)
    model = transformers.received(pack(Transformer(config, seed=3), 0.25), config)
    rendering = SymbolRendering(corpus.world)
    tokens = rendering.encode(corpus.corpus).tokens.astype(np.int64)
    code = transformers.code_rows(model, tokens, rendering.name_tokens)
    bits = evaluate(model, SymbolStream(corpus.corpus, names=False))
    assert 8 * len(code) == pytest.approx(float((bits.syntax + bits.value).sum()), rel=1e-3)
    names = np.where(np.arange(6) < rendering.name_tokens, tokens, 0)
    assert np.array_equal(transformers.decode_rows(model, names, rendering.name_tokens, code), tokens)


def test_a_peer_that_does_not_restore_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "text").write_bytes(b"to be or not to be " * 100)
    source = text_of(str(tmp_path / "text"), 1500)
    assert source.size == 1500
    codecs = {"half": (lambda data: data[:5], lambda code: code), "whole": (bytes, bytes), "missing": None}
    monkeypatch.setattr(text, "peers", lambda: iter(codecs.items()))
    found = text.code_by_peers(text.PeerCell("", source), Cell(tmp_path))
    assert found["total"].to_list() == [None, 12_000, None]
    assert found["note"].to_list() == ["it does not restore what it coded", "", "its module is not installed"]


def test_every_peer_that_is_here_restores_text(tmp_path):
    found = text.code_by_peers(text.PeerCell("", text_of("", 30_000)), Cell(tmp_path))
    always = found.filter(pl.col("code").is_in(["xz -9e", "bzip2 -9", "gzip -9"]))
    assert always["total"].is_not_null().all()
    assert np.all(always["total"].to_numpy() < 8 * 30_000)


def test_a_text_that_changed_is_refused(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"a" * 2000)
    source = text_of(str(path), 2000)
    path.write_bytes(b"b" * 2000)
    corpora.read.cache_clear()
    with pytest.raises(InputError, match="has changed since the run began"):
        _ = source.data


@pytest.mark.parametrize("preset", PRESETS)
def test_plans_name_every_cell(preset):
    config = PRESETS[preset]
    rows = plan(config)
    expected = 3 * config.replicates + len(config.orders) + len(config.widths) + len(config.text_orders)
    expected += len(config.levels) + 1 + len(config.text_widths) + 1
    assert sum(row.cells for row in rows) == expected
    assert all(row.seconds > 0 and row.memory > 0 for row in rows)


def test_worlds_differ_and_shorter_corpora_are_beginnings():
    ladder, other = study._ideal_cells(PRESETS["tiny"], 5)
    assert ladder[0].corpus.world != other[0].corpus.world
    short, whole = ladder[0].corpus.corpus, ladder[-1].corpus.corpus
    assert short == whole[: len(short)]
    assert len(whole) == 16 * len(short)


@pytest.mark.parametrize(
    "change",
    [
        {"discount": 0.0},
        {"entities": 10},
        {"sentences": 100},
        {"values": 65},
        {"templates": 1},
        {"replicates": 1},
        {"fact_steps": 3},
        {"finest": 9},
        {"orders": (3, 2)},
        {"orders": (40,)},
        {"prices": (1.0, 2.0)},
        {"prices": (0.0, 1.0, 2.0)},
        {"widths": (3,)},
        {"text_widths": (24,)},
        {"epochs": 0},
        {"text": "/nonexistent"},
        {"text_bytes": 10},
        {"levels": ()},
        {"levels": ("slow",)},
        {"steps": (9.0,)},
    ],
)
def test_bad_settings(change):
    with pytest.raises(ValueError, match=r"`\w+` must be .*, got .*; "):
        replace(Config(), **change)


def test_bad_settings_on_the_command_line(capsys):
    assert main(["run", "structure-function", "--preset", "tiny", "--prices", "2", "1", "3"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "prices" in said


@pytest.mark.slow
def test_a_killed_study_ends_as_an_undisturbed_one(tmp_path):
    arguments = ["--sentences", "1600", "--fact-steps", "8", "--finest", "8", "--text-bytes", "2000"]
    ends_as_undisturbed("structure-function", arguments, tmp_path)
