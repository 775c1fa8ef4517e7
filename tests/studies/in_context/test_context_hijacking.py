"""Context hijacking: judges on rows whose verdict is known, a cell against plain readings, tables against the rows."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Found, Rows
from twopart.lab import Cell
from twopart.laws.in_context import hijack_limits
from twopart.learners.in_context import GradientTransformer, hijack_curve
from twopart.studies.in_context import context_hijacking as study
from twopart.studies.in_context import context_hijacking_cells as cells
from twopart.studies.in_context.context_hijacking import PRESETS, Best, Train, Training
from twopart.worlds.in_context import HijackedClassification

BEST = Best(HijackedClassification(6), 12, (1, 2, 3), 100, 2)
NEAR = np.array([-1e-3, 0.0, 1e-3])


def planted(layers=1, error=0.5, law=0.5, kind="tied", best=BEST, **model):
    """Three transformers: `error` at every N, or a mapping of its values by N; `law` their own; the rest about the model."""
    by = error if isinstance(error, dict) else dict.fromkeys(best.tokens, error)
    columns = {"tokens": best.tokens, "law": law, "law_error": 0.0}
    parts = [pl.DataFrame({"axis": "curve", **columns, "error": [by[n] + e for n in best.tokens]}) for e in NEAR]
    last = {"step": 0.5, "scale": 0.56, "cosine": 0.999, "clipped": 0.8} | model
    parts = [pl.concat([p, pl.DataFrame({"axis": "model", **last})], how="diagonal_relaxed") for p in parts]
    frame = pl.concat([part.with_columns(replicate=pl.lit(r)) for r, part in enumerate(parts)])
    return Rows(Train(kind, layers, best, Training(pairs=400)), frame, "train")


def solved(*steps):
    """Two draws with these best steps (times n) by depth, and an error of 0.5."""
    frames = []
    for L, step in zip(BEST.layers, steps, strict=True):
        frames.append(pl.DataFrame({"axis": "best", "layers": L, "step": step, "replicate": [0, 1]}))
        errors = {"axis": "error", "layers": L, "tokens": BEST.tokens, "error": 0.5}
        frames += [pl.DataFrame(errors | {"replicate": r}) for r in (0, 1)]
    return Rows(BEST, pl.concat(frames, how="diagonal_relaxed"), "solve")


def test_training_is_held_against_the_best_step():
    assert study.steps_are_best(planted(step=0.5), 0.47).verdict == "holds"
    assert study.steps_are_best(planted(step=0.5), 0.42).verdict == "fails"
    assert study.knows_the_prior(planted()).verdict == "holds"
    assert study.knows_the_prior(planted(cosine=0.98)).verdict == "fails"


def test_errors_are_held_against_both_laws():
    noise = 3 * np.sqrt(0.25 / 1200)
    for law, verdict in ((0.5 + noise + 0.018, "holds"), (0.5 - noise - 0.022, "fails")):
        assert study.follows_its_own_law(planted(law=law)).verdict == verdict
    far = {n: 0.5 if n <= 32 else 0.9 for n in BEST.tokens}
    assert study.follows_its_own_law(planted(error=far)).verdict == "holds", "judged up to N = 32"
    law = np.full(len(BEST.tokens), 0.5)
    assert study.foretold(planted(), law + 0.04).verdict == "holds"
    assert study.foretold(planted(), law + 0.06).verdict == "fails"


def test_steps_by_depth_are_judged():
    assert study.finer(solved(0.5, 0.4, 0.3)).verdict == "holds"
    assert study.finer(solved(0.5, 0.4, 0.41)).verdict == "fails"
    assert study.moves_no_farther(solved(0.5, 0.4, 0.4)).measured == pytest.approx(3 * 0.4 / 0.5)
    assert study.moves_no_farther(solved(0.5, 0.4, 0.4)).verdict == "holds"
    assert study.moves_no_farther(solved(0.5, 0.4, 0.45)).verdict == "fails"


def test_depth_is_judged_step_by_step():
    falling = [planted(1, 0.9), planted(2, 0.8), planted(3, 0.7)]
    few = np.array([1, 4])
    assert study.deeper_is_safer(falling, few, "here").verdict == "holds"
    claim = study.deeper_is_safer([*falling[:2], planted(3, 0.85)], few, "here")
    assert claim.verdict == "fails", "the deepest is below the first, and above the one before"
    assert claim.measured == pytest.approx(0.05)


def test_parity_and_length_and_clip_are_judged():
    for claim, low, high in ((study.saved, 0.1, 0.2), (study.lost, 0.9, 0.8)):
        assert claim(planted(error=low), "so").verdict == "holds"
        assert claim(planted(error=high), "so").verdict == "fails"
    short = replace(BEST, context=4)
    assert study.longer_is_safer(planted(error=0.4), planted(error=0.5, best=short)).verdict == "holds"
    assert study.longer_is_safer(planted(error=0.5), planted(error=0.4, best=short)).verdict == "fails"
    level = hijack_limits(0.56, dimension=6).learned
    noise = 3 * np.sqrt(level * (1 - level) / 1200)
    right, wrong = planted(clipped=level + noise + 0.018), planted(clipped=level - noise - 0.022)
    assert study.clipped([right, right]).verdict == "holds"
    assert study.clipped([right, wrong]).verdict == "fails"


def test_claims_are_of_their_ranges():
    """n = 12, d = 6, α n = 0.5: one layer learns at once at N = 4 and overshoots beyond 8."""
    rows = [planted(L, error) for L, error in ((1, 0.9), (2, 0.1), (3, 0.8))]
    parts = (solved(0.5, 0.4, 0.3), *rows, planted(1, best=replace(BEST, context=4)))
    other = replace(parts[0], case=replace(BEST, context=4))
    found = Found(replace(PRESETS["tiny"], context=12, dimension=6, short=4), (*parts, other))
    rules = {claim.statement: claim for claim in study.claims(found)}
    few, mid, _, far, _ = (claim for statement, claim in rules.items() if statement.startswith("Deeper"))
    assert "N = 1, 2 from" in few.rule
    assert "N = 12 from" in mid.rule
    assert "L = 1, 3" in mid.rule
    assert "N = 16, 32, 64, 120 from" in far.rule
    assert mid.verdict == "holds"
    assert few.verdict == "fails"


@pytest.mark.parametrize("kind", ["tied", "free"])
def test_a_cell_measures_what_its_transformer_says(kind, tmp_path, monkeypatch):
    kept = []

    def keep(model, draw, *, steps):
        draw(steps)
        kept.append(model.set(torch.from_numpy(0.5 * BEST.world.prior).float(), 0.02))

    monkeypatch.setattr(cells, "train_in_context", keep)
    monkeypatch.setattr(cells, "OTHERS", 500)
    case = Train(kind, 2, BEST, Training(10, 8, 300))
    found = Rows(case, cells.train(case, Cell(tmp_path)).with_columns(replicate=0))
    plain = GradientTransformer(2, 6, isotropic=True).set(kept[0].initial.detach(), 0.02)
    curve = hijack_curve(plain, BEST.world, BEST.tokens, count=300, stream="asked 0")
    assert found.array("error", axis="curve")[0] == pytest.approx(curve.error, abs=1 / 300)
    assert found.array("law", axis="curve")[0] == pytest.approx(curve.error, abs=5 * np.sqrt(0.5 / 300))
    assert found.array("step", axis="model")[0] == pytest.approx(12 * 0.02)
    assert found.array("scale", axis="model")[0] == pytest.approx(0.5)
    assert found.array("cosine", axis="model")[0] == pytest.approx(1)
    for n in cells.SHOWN:
        law, read = (found.array(name, axis="layers", tokens=n) for name in ("law", "logit"))
        np.testing.assert_allclose(law, read, rtol=1e-4, atol=1e-4)


def test_tables_hold_what_was_measured():
    parts = (solved(0.5, 0.4, 0.3), *(planted(L, 0.1 * L, step=0.2 * L) for L in BEST.layers))
    found = Found(PRESETS["tiny"], parts)
    errors = pl.concat(study.error_rows(found), how="diagonal_relaxed")
    assert errors.filter(series="law")["error"].unique().to_list() == [0.5]
    for L in BEST.layers:
        mine = errors.filter(series="trained", layers=f"L = {L}")
        assert mine["tokens"].to_list() == list(BEST.tokens)
        assert mine["error"].to_numpy() == pytest.approx(0.1 * L)
        assert (mine["high"] - mine["low"]).to_numpy() == pytest.approx(2e-3)
    steps = pl.concat(study.step_rows(found), how="diagonal_relaxed")
    for what, law, trained in (
        ("each step", (0.5, 0.4, 0.3), (0.2, 0.4, 0.6)),
        ("all L together", (0.5, 0.8, 0.9), (0.2, 0.8, 1.8)),
    ):
        one = steps.filter(what=what)
        assert one.filter(series="law")["step"].to_list() == pytest.approx(law)
        assert one.filter(series="trained, one step")["step"].to_list() == pytest.approx(trained)
