"""The data-law study: its judges on curves whose verdict is known, its tables against plain loops, and real runs killed."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import twopart as tp
from twopart.codes import CodeLengths
from twopart.laws import data_law
from twopart.roles import ROLES
from twopart.studies.data_law import PRESETS, Config, cells, claims, plan
from twopart.studies.data_law.evidence import Evidence

SENTENCES = 50_000
BINS = cells.bins(SENTENCES).centres


def evidence(value, syntax=None, *, discount=0.5, population=0):
    """Evidence of two replicates with the given value curve and 2 % of noise."""
    config = replace(PRESETS["small"], population=population or 1000)
    world = config.world(0, discount, control=bool(population))
    random = np.random.default_rng(5)
    edges = cells.bins(SENTENCES).edges

    def run():
        noise = np.exp(0.02 * random.standard_normal(len(BINS)))
        curve = {"name": value, "syntax": value if syntax is None else syntax, "value": value * noise}
        return pl.DataFrame({"axis": ["seen"] * len(BINS), "low": edges[:-1], **curve, "world_value": law})

    law = Evidence("test", world, SENTENCES, (), None).law["value"]
    return Evidence("test", world, SENTENCES, (run(), run()), None)


@pytest.mark.parametrize("discount", [0.3, 0.5, 0.8])
def test_a_learner_that_follows_the_law_at_n_over_t_is_recognised(discount):
    truth = evidence(np.ones(len(BINS)), discount=discount)
    shifted = np.interp(np.log(BINS / 7), np.log(np.arange(1, SENTENCES + 1)), truth.law_by_sentence["value"])
    found = evidence(shifted, discount=discount)
    exponent, exposures = claims.knowledge_exponent(found), claims.exposures_per_fact(found)
    assert exponent.verdict == "holds"
    assert exponent.predicted == discount - 1
    assert exposures.measured == pytest.approx(7, rel=0.1)
    assert exposures.verdict == "holds"


@pytest.mark.parametrize(
    ("curve", "verdict"), [(BINS**-0.5, "holds"), (BINS**-0.2, "fails"), (BINS**-1.0, "fails"), (BINS**0.0, "fails")]
)
def test_exponents_are_judged(curve, verdict):
    assert claims.knowledge_exponent(evidence(curve)).verdict == verdict


def test_a_learner_that_learns_knowledge_first_fails():
    early, late = 8 / (1 + BINS / 10), 8 / (1 + BINS / 3000)
    assert claims.syntax_first(evidence(late, early)).verdict == "holds"
    assert claims.syntax_first(evidence(early, late)).verdict == "fails"
    flat = np.full(len(BINS), 8.0)
    assert claims.syntax_first(evidence(flat, early)).verdict == "holds"
    assert claims.syntax_first(evidence(flat, flat)).verdict == "inconclusive"


def test_a_power_law_in_the_control_fails():
    assert claims.no_power_law(evidence(6 * np.exp(-BINS / 8000), population=1000)).verdict == "holds"
    assert claims.no_power_law(evidence(6 * BINS**-0.5, population=1000)).verdict == "fails"


def test_a_learner_above_the_start_of_the_law_has_no_t():
    assert claims.exposures_per_fact(evidence(np.full(len(BINS), 9.0))).verdict == "inconclusive"


@pytest.mark.parametrize("factor", [1.0, 2.0])
@pytest.mark.parametrize("control", [False, True])
def test_the_bayes_code_is_compared_with_the_law(factor, control):
    """As simulated it holds; with its fact bits doubled it fails."""
    world = PRESETS["tiny"].world(4, 0.6, control=control)
    config = cells.BayesCell("x", world, worlds=40, sentences=3000)
    frame = cells.simulate_bayes(config, tp.lab.Cell(Path()))
    frame = frame.with_columns(pl.col("value") * factor)
    claim = claims.bayes_matches(Evidence("test", world, 3000, (), frame, 40))
    assert claim.verdict == ("holds" if factor == 1 else "fails")


def test_the_laws_curve_is_exact_between_its_knots():
    found = evidence(np.ones(len(BINS)))
    n = np.array([3, 70, 500, 12_345, 49_999])
    law = data_law(found.world, n - 1)
    for role in ROLES:
        assert found.law_by_sentence[role][n - 1] == pytest.approx(getattr(law, role), rel=2e-3)


def test_tables_against_plain_loops():
    corpus = PRESETS["tiny"].world(1, 0.5).sample(2000)
    bits = np.random.default_rng(0).random(2000)
    tables = cells._tables(corpus, CodeLengths(bits, bits, bits))
    before, seen = [], {}
    for fact in zip(corpus.entity.tolist(), corpus.attribute.tolist(), strict=True):
        before.append(seen.get(fact, 0))
        seen[fact] = seen.get(fact, 0) + 1
    exposures = np.array(before)[200:]
    for row in tables[1].iter_rows(named=True):
        inside = (exposures + 1 >= row["low"]) & (exposures + 1 < row["high"])
        assert row["count"] == inside.sum()
        assert row["value"] == pytest.approx(bits[200:][inside].mean())
    assert tables[1]["count"].sum() == tables[2]["count"].sum() == 1800
    assert tables[0]["count"].sum() == 2000


@pytest.mark.parametrize("preset", PRESETS)
def test_plans_name_every_cell(preset):
    config = PRESETS[preset]
    rows = plan(config)
    kinds = len(config.discounts) + 2
    assert sum(row.cells for row in rows) == kinds * config.seeds + kinds - 1
    assert all(row.seconds > 0 and row.memory > 0 for row in rows)


@pytest.mark.parametrize(
    "change",
    [
        {"discounts": ()},
        {"discounts": (0.5, 0.5)},
        {"discounts": (1.0,)},
        {"sentences": 10},
        {"seeds": 1},
        {"population": -1},
        {"english_sentences": 5},
        {"english_vocabulary": 10},
        {"templates": 21},
        {"learning_rate": 0.0},
        {"batch": 10**6},
        {"hold": 10},
    ],
)
def test_bad_settings(change):
    with pytest.raises(ValueError, match=r"`\w+` must be .*, got .*; "):
        replace(Config(), **change)


SMALLER = ["--discounts", "0.5", "--sentences", "3000", "--english-sentences", "1000", "--bayes-worlds", "8"]


def command(out, *more):
    arguments = ["run", "data-law", "--preset", "tiny", *SMALLER, "--seed", "3", "--out", str(out), *more]
    return [sys.executable, "-m", "twopart", *arguments]


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@pytest.mark.slow
def test_a_killed_study_ends_as_an_undisturbed_one(tmp_path):
    """SIGKILL while the first cells train and when half are done; the same bytes come out."""
    environment = {
        **os.environ,
        "GIT_DIR": "/nonexistent",
    }  # the checkout's state is on the page, and may change meanwhile
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = subprocess.run(command(whole), env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stderr
    cells_in_all = len(list(whole.glob("cells/*/metrics.parquet")))
    for finished in (0, cells_in_all // 2):
        process = subprocess.Popen(command(killed, "--resume"), env=environment, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 200
        while not list(killed.glob("cells/*/working")) or len(list(killed.glob("cells/*/metrics.parquet"))) < finished:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    last = subprocess.run(command(killed, "--resume"), env=environment, capture_output=True, text=True, timeout=300)
    assert last.returncode == done.returncode, last.stderr
    assert contents(killed) == contents(whole)
    assert len(json.loads((whole / "claims.json").read_text())["claims"]) >= 8
