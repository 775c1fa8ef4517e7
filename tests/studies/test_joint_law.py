"""The joint-law study: its judges on grids whose verdict is known, its grid against single runs, and real runs killed."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from twopart.studies._ladder import biographies

import twopart as tp
from tests.studies.resuming import ends_as_undisturbed
from twopart.cli import main
from twopart.fits import scaling_law
from twopart.laws import joint_law
from twopart.studies.joint_law import PRESETS, Config, cells, claims, plan, tables
from twopart.studies.joint_law.evidence import Evidence, Octaves
from twopart.studies.joint_law.study import _cells, findings
from twopart.worlds import known_entities

WIDTHS = (4, 8, 16, 32, 48)
CELLS = _cells(replace(PRESETS["small"], data_sizes=5, widths=WIDTHS), 7)
WORLD = CELLS[0].world
ENTITIES = known_entities(WORLD.sample(CELLS[0].sizes[-1]))
SIZES = [(cells.shape(WORLD, cell.width).parameters, n) for cell in CELLS for n in cell.sizes]


def grid(syntax, value):
    """Losses over the grid in bits per sentence, syntax without the oracle's."""
    params, sentences = np.array(SIZES, float).T
    tokens = sentences * 6
    frame = pl.DataFrame({"params": params.astype(int), "tokens": tokens.astype(int), "flops": 6 * params * tokens})
    evidence = Evidence(WORLD, ENTITIES, frame.with_columns(sentences=sentences.astype(int)))
    columns = {"syntax": pl.Series(syntax + evidence.oracle), "value": pl.Series(value)}
    return replace(evidence, grid=evidence.grid.with_columns(**columns))


def by_law(b=0.5, told=12.0, power=1.0, forget=1.0, noise=0.01):
    """A learner of b bits per parameter that needs `told` exposures; `power` and `forget` bend its sizes and data."""
    params, sentences = np.array(SIZES, float).T
    law = joint_law(WORLD, sentences**forget, b * params**power, ENTITIES, told)
    random = np.exp(noise * np.random.default_rng(3).standard_normal((2, len(params))))
    return grid(law.syntax * random[0], law.value * random[1])


@pytest.mark.parametrize(("b", "told"), [(0.5, 12.0), (0.3, 4.0)])
def test_a_learner_that_follows_the_law_is_recognised(b, told):
    found = by_law(b, told)
    assert found.bits_per_parameter.value == pytest.approx(b, rel=0.03)
    assert found.exposures.value == pytest.approx(told, rel=0.03)
    assert claims.follows_the_law(found).verdict == "holds"
    assert [claim.verdict for claim in claims.exponents(found)] == ["holds", "holds"]
    assert claims.bits_per_parameter(found).verdict == claims.exposures(found).verdict == "holds"


def test_a_learner_of_other_exponents_fails():
    """Bits that hardly grow with the parameters."""
    found = by_law(b=100.0, power=0.3)
    assert claims.follows_the_law(found).verdict == "fails"
    alpha, _ = claims.exponents(found)
    assert alpha.verdict == "fails"
    assert alpha.measured < alpha.predicted


def test_a_learner_beyond_the_bounds_of_the_fitted_numbers_fails():
    assert claims.bits_per_parameter(by_law(b=3.0)).verdict == "fails"
    assert claims.exposures(by_law(told=0.5)).verdict == "fails"


def chinchilla(alpha, beta, floor=0.0, A=300.0, B=60.0):
    """Redundancies in nats per token that are such a law, `floor` added, as bits of values."""
    params, sentences = np.array(SIZES, float).T
    loss = floor + A * params**-alpha + B * (6 * sentences) ** -beta
    noise = np.exp(0.002 * np.random.default_rng(4).standard_normal(len(params)))
    return grid(np.zeros(len(params)), loss * noise * 6 / np.log(2))


def test_the_discount_and_the_floor_are_judged():
    right, wrong = chinchilla(1.0, 0.5), chinchilla(0.5, 0.8, floor=0.2)
    assert claims.one_discount(right).measured == pytest.approx(0.5, abs=0.01)
    assert claims.one_discount(right).verdict == "holds"
    assert claims.one_discount(wrong).verdict == "fails"
    assert claims.floor(right).verdict == "holds"
    assert claims.floor(chinchilla(1.0, 0.5, floor=0.2)).verdict == "fails"


def test_the_split_is_judged_beside_the_law():
    claim = claims.allocation(by_law())
    assert claim.verdict == "holds"
    found = chinchilla(0.25, 1.5, A=30.0, B=3e6)
    assert claims.allocation(found).measured == pytest.approx(1.5 / 1.75, abs=0.01)
    assert claims.allocation(found).verdict == "fails"


def test_exposures_by_size_are_those_of_each_size():
    """A learner whose larger models need fewer exposures is seen to be one."""
    params = np.array(SIZES, float)[:, 0]
    alike = tables.by_size(by_law(noise=0))["exposures"].to_numpy()
    assert alike == pytest.approx(np.full(len(WIDTHS), 12.0), rel=0.05)
    parts = [by_law(told=t, noise=0) for t in (24.0, 6.0)]
    value, syntax = (np.where(params < 5000, *(p.grid[role].to_numpy() for p in parts)) for role in ("value", "syntax"))
    told = tables.by_size(grid(syntax - parts[0].oracle, value))["exposures"].to_numpy()
    assert told[1] > 2 * told[-1]


def test_grids_that_show_no_such_form_leave_claims_open(monkeypatch):
    found = by_law()
    monkeypatch.setattr(Evidence, "fitted", lambda self, form, loss: None)
    judged = [*claims.exponents(found), claims.allocation(found), claims.floor(found), claims.one_discount(found)]
    assert {claim.verdict for claim in judged} == {"inconclusive"}
    assert all(np.isnan(claim.measured) and claim.interval is None for claim in judged)
    assert findings(found).table("fits").height == 0


def test_the_interpolated_surface_is_the_law():
    """At points between the coarse ones."""
    found = by_law(noise=0)
    for b, told in [(-1.3, 3.6), (0.7, 7.2), (-3.1, 0.4)]:
        i = int(np.abs(np.linspace(-6, 2, 129) - b).argmin())
        j = int(np.abs(np.linspace(-2, 12, 225) - told).argmin())
        bits, needed = 2.0 ** np.linspace(-6, 2, 129)[i], 2.0 ** np.linspace(-2, 12, 225)[j]
        law = joint_law(WORLD, found.sentences, bits * found.params, ENTITIES, needed).total
        assert found.deviations[i, j] == pytest.approx(np.log2(found.redundancy / law), abs=0.03)


def test_a_parabola_is_refined_to_its_bottom():
    row = Octaves(0.0, 2.0, 4, finer=4)
    loss = (row.fine - 0.77) ** 2
    assert row.refined(loss, int(loss.argmin())) == pytest.approx(0.77)
    assert row.refined(row.fine, 0) == 0.0


def test_what_fitting_reads(tmp_path):
    found = by_law()
    made = findings(found)
    frame = made.table("runs")
    assert frame.columns == ["params", "tokens", "flops", "loss", "loss_name", "loss_syntax", "loss_value", "sentences"]
    assert (frame["loss_name"] + frame["loss_syntax"] + frame["loss_value"]).to_list() == pytest.approx(
        frame["loss"].to_list()
    )
    assert frame["loss"].to_list() == pytest.approx((found.bits * np.log(2) / 6).tolist())
    read = pl.read_csv(tp.report.write_report(made, tmp_path, config={}, environment={}).parent / "runs.csv")
    assert read.equals(frame)
    columns = (read[name].to_numpy() for name in ("params", "tokens", "loss"))
    assert scaling_law(*columns, objective="squares").alpha == pytest.approx(found.with_floor.alpha)


def test_a_run_is_examined_at_every_data_size(tmp_path):
    """The first rows of a long run are the rows of a short one: the rate knows nothing of the run's length."""
    world = biographies(0.5, 2, values=16, templates=4)
    settings = {"layers": 1, "held_out": 1000, "batch": 32, "learning_rate": 0.01, "warmup": 5, "hold": 20}
    long = cells.RunCell("long", world, 8, sizes=(640, 1280, 2560), **settings)
    found = cells.train_model(long, tp.lab.Cell(tmp_path / "long", seed=4))
    short = cells.train_model(replace(long, sizes=(640, 1280)), tp.lab.Cell(tmp_path / "short", seed=4))
    assert found["sentences"].to_list() == [640, 1280, 2560]
    assert found.head(2).equals(short)
    shape = cells.shape(world, 8)
    assert found["params"].to_list() == [shape.parameters] * 3
    assert found["tokens"].to_list() == [n * 6 for n in (640, 1280, 2560)]
    assert (found["flops"] / found["tokens"]).to_list() == [shape.flops_per_token] * 3
    assert found["value"][2] < found["value"][0] <= 10


def test_data_sizes_are_whole_updates():
    sizes = Config().sizes()
    assert all(n % Config().batch == 0 for n in sizes)
    assert sizes[0] >= Config().least
    assert np.diff(np.log(sizes)) == pytest.approx(np.log(1e6 / 16e3) / 6, abs=0.02)


@pytest.mark.parametrize("preset", PRESETS)
def test_plans_name_every_run(preset):
    rows = plan(PRESETS[preset])
    assert sum(row.cells for row in rows) == len(PRESETS[preset].widths)
    assert all(row.seconds > 0 and row.memory > 0 and row.flops > 0 for row in rows)


@pytest.mark.parametrize(
    "change",
    [
        {"discount": 1.0},
        {"widths": (2, 4)},
        {"widths": (4, 8, 16, 15)},
        {"data_sizes": 3},
        {"least": 100},
        {"sentences": 20_000},
        {"held_out": 10},
        {"values": 1},
        {"templates": 1},
        {"names": 100},
        {"batch": 0},
        {"learning_rate": 2.0},
        {"hold": 10},
        {"data_sizes": 100_000},
    ],
)
def test_bad_settings(change):
    with pytest.raises(ValueError, match=r"`\w+` must be .*, got .*; "):
        replace(Config(), **change)


def test_bad_settings_on_the_command_line(capsys):
    assert main(["run", "joint-law", "--preset", "tiny", "--discount", "1.5"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "discount" in said


@pytest.mark.slow
def test_a_study_that_lost_cells_ends_as_an_undisturbed_one(tmp_path):
    ends_as_undisturbed("joint-law", ["--sentences", "20000"], tmp_path)
