"""The joint-law study: its judges on grids whose verdict is known, its surface against the law, a run against a shorter one."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Found
from twopart.fits import scaling_law
from twopart.lab import Cell
from twopart.laws import joint_law, learner_law
from twopart.studies._transformers import NATS, SPEED, OnePass, Shape
from twopart.studies.knowledge import joint_law as study
from twopart.studies.knowledge.joint_law_cells import train_model
from twopart.worlds import Biographies, known_entities

CONFIG = study.Config(widths=(4, 8, 16, 32, 48), data_sizes=4, budgets=2, seeds=3)
PEOPLE = Biographies(templates=1)  # whose syntax costs nothing, so that laws are quickly worked out
CASES = [replace(work.case, people=PEOPLE) for work in study.cells(CONFIG, 7)]
WORLD = CASES[0].world(0)
ENTITIES = known_entities(WORLD.sample(200_000))
SIZES = [(Shape(1, case.width).reading(WORLD).parameters, case.width, n) for case in CASES for n in case.sizes]
PARAMS, WIDTHS, SENTENCES = np.array(SIZES, float).T


def evidence(value, noise=0.01, floor=0.0):
    """Bits of values that were measured over three grids of one world, beside syntax as the oracle pays for it."""
    random = np.random.default_rng(3)
    runs = {"params": PARAMS.astype(int), "width": WIDTHS, "tokens": 6 * SENTENCES.astype(int)}
    runs |= {"flops": 36 * PARAMS * SENTENCES, "sentences": SENTENCES.astype(int), "syntax": WORLD.syntax_entropy}
    values = [floor + value * np.exp(noise * random.standard_normal(len(PARAMS))) for _ in range(3)]
    grids = (study.Grid(WORLD, ENTITIES, pl.DataFrame(runs | {"value": one}), CASES[0].training) for one in values)
    return study.Evidence(tuple(grids), CONFIG.budgets)


def by_law(b=0.5, told=12.0, power=1.0, noise=0.01):
    """A learner of b bits per parameter that needs `told` exposures; `power` bends its sizes."""
    return evidence(joint_law(WORLD, SENTENCES, b * PARAMS**power, ENTITIES, told).total, noise)


def exponents(t, law="law"):
    return study.exponent(t, law, "alpha", "parameters", 1.0), study.exponent(t, law, "beta", "data", 0.5)


def test_a_learner_that_follows_the_law_is_recognised():
    found = by_law(0.4, 7.0)
    assert found.bits_per_parameter.value == pytest.approx(0.4, rel=0.03)
    assert found.exposures.value == pytest.approx(7.0, rel=0.03)
    judged = [study.follows_the_law(found), *exponents(found), study.allocation(found, "law")]
    judged += [study.bits_per_parameter(found), study.exposures(found)]
    assert [claim.verdict for claim in judged] == ["holds"] * 6
    assert study.follows_the_learners_law(found).verdict == "fails"


def test_a_learner_that_follows_the_learners_law_is_recognised():
    """It is no ideal learner."""
    own = {"nats": NATS, "speed": SPEED, "steps": CASES[0].training.steps}
    law = learner_law(WORLD, SENTENCES, PARAMS, WIDTHS, **own, entities=ENTITIES)
    found = evidence(law.value)
    assert found.own == pytest.approx(np.tile(law.value, (3, 1)))
    judged = [study.follows_the_learners_law(found), *exponents(found, "learner's law")]
    judged += [study.allocation(found, "learner's law")]
    assert [claim.verdict for claim in judged] == ["holds"] * 4
    assert study.follows_the_law(found).verdict == "fails"


def test_a_learner_of_another_surface_fails():
    """Bits that become fewer with the parameters: no scaling law is shown either."""
    found = by_law(b=5e4, power=-0.5)
    assert study.follows_the_law(found).verdict == "fails"
    assert exponents(found)[0].verdict == "inconclusive"


def test_a_learner_beyond_the_bounds_of_the_fitted_numbers_fails():
    assert study.bits_per_parameter(by_law(b=3.0)).verdict == "fails"
    assert study.exposures(by_law(told=0.5)).verdict == "fails"


def chinchilla(alpha, beta, floor=0.0, A=300.0, B=60.0):
    """Redundancies in nats per token that are such a law, `floor` added, as bits of values."""
    loss = A * PARAMS**-alpha + B * (6 * SENTENCES) ** -beta
    return evidence(loss * 6 / np.log(2), 0.002, floor * 6 / np.log(2))


def test_the_discount_and_the_floor_are_judged():
    right, wrong = chinchilla(1.0, 0.5), chinchilla(0.5, 0.8, floor=0.2)
    assert study.one_discount(right).measured == pytest.approx(0.5, abs=0.01)
    assert [study.one_discount(right).verdict, study.floor(right).verdict] == ["holds", "holds"]
    assert study.one_discount(wrong).verdict == "fails"
    assert study.floor(chinchilla(1.0, 0.5, floor=0.2)).verdict == "fails"


def test_the_exponents_are_judged_beside_the_law():
    found = chinchilla(0.6, 1.5, B=3e6)
    assert study.allocation(found, "law").measured == pytest.approx(1.5 / 2.1, abs=0.01)
    assert study.allocation(found, "law").verdict == "fails"
    assert [claim.verdict for claim in exponents(found)] == ["fails", "fails"]


def test_exposures_by_size_are_those_of_each_size():
    """A learner whose larger models need fewer exposures is seen to be one."""
    (alike,) = study.size_rows(by_law(noise=0))
    assert alike["exposures"].to_numpy() == pytest.approx(np.full(5, 12.0), rel=0.05)
    many, few = (by_law(told=t, noise=0).first.of("value") for t in (24.0, 6.0))
    (told,) = study.size_rows(evidence(np.where(PARAMS < 5000, many, few), 0))
    assert told["exposures"][1] > 2 * told["exposures"][-1]


def test_grids_that_show_no_such_form_leave_claims_open(monkeypatch):
    found = by_law()
    monkeypatch.setattr(study, "scaling", lambda *runs: None)
    judged = [*exponents(found), study.allocation(found, "law"), study.floor(found), study.one_discount(found)]
    assert {claim.verdict for claim in judged} == {"inconclusive"}
    assert all(np.isnan(claim.measured) and claim.interval is None for claim in judged)
    assert [claim.predicted for claim in judged[:3]] == [None] * 3


def test_the_interpolated_surface_is_the_law():
    """At points between the coarse ones."""
    grid = by_law(noise=0).first
    for i, j in [(75, 90), (107, 148), (47, 38)]:
        bits, needed = 2.0 ** study.BITS.fine[i], 2.0 ** study.TOLD.fine[j]
        law = joint_law(WORLD, SENTENCES, bits * PARAMS, ENTITIES, needed).total
        assert np.sqrt(grid.squares[i, j]) == pytest.approx(abs(np.log2(grid.redundancy / law)), abs=0.03)


def test_what_fitting_reads():
    found = by_law(noise=0)
    (frame,) = study.run_rows(found)
    assert frame.columns == ["params", "tokens", "flops", "loss", "loss_name", "loss_syntax", "loss_value", "sentences"]
    parts = (frame["loss_name"] + frame["loss_syntax"] + frame["loss_value"]).to_list()
    assert parts == pytest.approx(frame["loss"].to_list())
    bits = found.first.redundancy + WORLD.syntax_entropy
    assert frame["loss"].to_list() == pytest.approx((bits * np.log(2) / 6).tolist())
    columns = (frame[name].to_numpy() for name in ("params", "tokens", "loss"))
    fit = scaling_law(*columns, objective="squares", resamples=0)
    assert fit.alpha == pytest.approx(found.fitted("alpha", "measured, with floor").value, rel=1e-4)


def test_tables_hold_every_run_and_fit(monkeypatch):
    found = by_law()
    monkeypatch.setattr(study, "evidence_of", lambda found: found)
    tables = {table.name: table for table in study.tables(found)}
    assert tables["runs"].csv
    surface, optimum = tables["surface"].frame, tables["optimum"].frame
    assert surface.group_by("series").len().sort("series")["len"].to_list() == [20, 20, 20]
    measured = surface.filter(series="transformer")
    assert measured["redundancy"].to_list() == pytest.approx(found.measured.mean(0).tolist())
    assert (measured["low"] < measured["high"]).all()
    best = optimum.filter(series="law")
    assert (best["parameters"] * best["sentences"] * 36).to_list() == pytest.approx(best["flops"].to_list())
    assert optimum.filter(series="fit to the transformers")["parameters"].is_sorted()
    fits = tables["fits"].frame
    assert fits.select("form", "losses").unique().height == 7
    assert (fits["low"] <= fits["value"]).all()


def test_runs_of_all_sizes_come_together():
    runs = by_law().first.runs.drop("width")
    short = [replace(case, sizes=(1000,)) for case in CASES]  # what is told is sampled anew
    parts = [("train_model", case, r, runs[4 * i : 4 * i + 4]) for i, case in enumerate(short) for r in (0, 1)]
    found = study.evidence_of(Found.collect(CONFIG, parts))
    for r, grid in enumerate(found.grids):
        assert grid.world == CASES[0].world(r)
        assert grid.runs.drop("replicate", "width").equals(runs)
        assert grid.runs["width"].to_list() == WIDTHS.tolist()
        assert np.array_equal(grid.entities.weights, known_entities(CASES[0].world(r).sample(1000)).weights)


def test_a_run_is_examined_at_every_data_size(tmp_path):
    """The first rows of a long run are the rows of a short one: the rate knows nothing of the run's length."""
    how = (500, 0.5, Biographies(values=16, templates=4), OnePass(batch=32, learning_rate=0.01, warmup=5, hold=20), 2)
    long, short = (study.Pass(8, 1, sizes, *how) for sizes in ((160, 320, 640), (160, 320)))
    found, less = (train_model(case, Cell(tmp_path / str(case.sizes), seed=4)) for case in (long, short))
    assert found["sentences"].to_list() == [160, 320, 640]
    assert found.head(2).equals(less)
    shape = Shape(1, 8).reading(long.world(0))
    assert found["params"].to_list() == [shape.parameters] * 3
    assert found["tokens"].to_list() == [n * 6 for n in (160, 320, 640)]
    assert (found["flops"] / found["tokens"]).to_list() == [shape.flops_per_token] * 3
    assert found["value"][2] < found["value"][0] <= 10


def test_data_sizes_are_whole_updates():
    sizes = study.Config().sizes()
    assert all(n % study.Config().training.batch == 0 for n in sizes)
    assert sizes[0] >= study.Config().least
    assert np.diff(np.log(sizes)) == pytest.approx(np.log(1e6 / 16e3) / 6, abs=0.02)
