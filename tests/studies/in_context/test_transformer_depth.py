"""Depth and heads: judges on rows whose verdict is known, cells against plain readings, tables against the rows."""

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Found, Rows
from twopart.lab import Cell
from twopart.laws.in_context import separable
from twopart.learners.in_context import AttentionOnly
from twopart.studies.in_context import transformer_depth as study
from twopart.studies.in_context import transformer_depth_cells as cells
from twopart.studies.in_context.transformer_depth import CONTEXT, FOUR, PRESETS, RECALL, THREE, UNEQUAL, Case, Config

CONFIG = Config(steps=20, looks=2, prompts=100)
NEAR = np.array([-1e-3, 0.0, 1e-3])


def planted(accuracy, name=RECALL, layers=1, heads=1, soon=20):
    """Three networks of that accuracy at the end; `soon` is the step at which they come to 95%, if they do."""
    parts = []
    for r, more in enumerate(NEAR):
        way = {"step": [10, 20], "accuracy": [accuracy + more if soon == 10 else 0.1, accuracy + more]}
        parts.append(pl.DataFrame(way | {"axis": "way", "replicate": r}))
        goes = {"layer": list(range(layers)), "parsing": 0.1 + 0.1 * r, "copying": 0.2, "matching": 0.3}
        parts.append(pl.DataFrame(goes | {"axis": "heads", "replicate": r}))
    return Rows(Case(name, layers, heads, CONFIG, 0), pl.concat(parts, how="diagonal_relaxed"), "train")


def readouts(D, shift=0.0):
    """Groups of labelings whose shares are Cover's, at numbers of sequences moved by a share of themselves."""
    N = np.round(D * np.linspace(1.4, 2.6, 9))
    frame = {"points": N * (1 + shift), "separated": separable(N, D)}
    return Rows(
        Case("D =", D, 0, CONFIG, 0), pl.concat(pl.DataFrame(frame | {"replicate": r}) for r in range(4)), "separate"
    )


def test_constructions_are_judged():
    assert study.by_hand("so", 1.0, 1.0).verdict == "holds"
    assert study.by_hand("so", 0.9995, 1.0).verdict == "fails"
    assert study.by_guess("so", 0.88, 0.857).verdict == "holds"
    assert study.by_guess("so", 0.82, 0.857).verdict == "fails"


def test_memory_is_judged():
    assert study.memorised(readouts(12)).measured == pytest.approx(24)
    assert study.memorised(readouts(12, 0.08)).verdict == "holds"
    assert study.memorised(readouts(12, 0.12)).verdict == "fails"
    assert study.memorised(readouts(12, -0.12)).verdict == "fails"


@pytest.mark.parametrize(
    ("claim", "holds", "bound", "missed"),
    [
        (study.blind_recall, 0.29, 0.30, "fails"),
        (study.blind, 0.81, 0.82, "fails"),
        (study.deep_recall, 0.96, 0.95, "inconclusive"),
        (study.wide_recall, 0.46, 0.45, "inconclusive"),
        (study.deep, 0.99, 0.98, "fails"),
        (study.wide, 0.96, 0.95, "fails"),
    ],
)
def test_accuracy_is_judged(claim, holds, bound, missed):
    found = claim(planted(holds), "so", bound)
    assert (found.verdict, found.predicted) == ("holds", bound)
    assert claim(planted(2 * bound - holds), "so", bound).verdict == missed


def test_depth_is_judged_network_by_network():
    few = planted(0.9, CONTEXT, 2)
    assert study.third_layer(few, planted(0.96, CONTEXT, 3)).verdict == "holds"
    assert study.third_layer(few, planted(0.94, CONTEXT, 3)).verdict == "fails"
    assert study.third_layer(planted(0.5, CONTEXT, 2), planted(0.8, CONTEXT, 3)).verdict == "inconclusive"
    late, soon = planted(0.97, layers=2), planted(0.97, layers=3, soon=10)
    assert study.reached(soon).tolist() == [10] * 3
    assert study.sooner(late, soon).measured == pytest.approx(0.5)
    assert study.sooner(late, soon).verdict == "holds"
    assert study.sooner(soon, late).verdict == "fails"
    assert study.sooner(late, planted(0.9, layers=3)).verdict == "inconclusive", "one does not come there"


def test_claims_have_the_bounds_of_the_laws():
    built = pl.DataFrame({"what": ["a", "b"], "accuracy": [1.0, 0.8], "law": [1.0, 6 / 7], "replicate": 0})
    rows = [planted(0.2), planted(0.97, layers=2), planted(0.2, heads=4)]
    rows += [planted(0.5, name, heads=1) for name in (THREE, FOUR, UNEQUAL)]
    rows += [planted(0.99, name, 2, 4) for name in (THREE, FOUR)] + [planted(0.99, UNEQUAL, 1, 2)]
    parts = (Rows(Case("by hand", 2, 0, CONFIG, 0), built, "construct"), readouts(12), *rows)
    found = list(study.claims(Found(CONFIG, parts)))
    assert [claim.verdict for claim in found] == [
        "holds", "fails", "holds", "holds", "holds", "inconclusive", *["holds"] * 6]  # fmt: skip
    bounds = [claim.predicted for claim in found[3:9]]
    assert bounds == pytest.approx([0.3, 0.95, 0.45, 0.82, 8 / 15 + 0.02, 0.82])
    accuracy = next(study.tables(Found(CONFIG, parts))).frame
    assert accuracy.filter(pl.col("panel") == "recall, trained")["accuracy"].to_list() == pytest.approx(
        [0.2, 0.97, 0.2]
    )
    assert accuracy.filter(pl.col("panel") == "recall, by hand")["accuracy"].to_list() == [0.25, 1, 1]


def test_a_cell_measures_what_its_networks_say(monkeypatch, tmp_path):
    kept = []

    def keep(models, task, *, on_look, **sizes):
        kept.extend(models)
        on_look(sizes["steps"])
        return pl.DataFrame({"step": [20, 20, 20], "network": [0, 1, 2], "accuracy": 0.5})

    monkeypatch.setattr(cells, "train_together", keep)
    case = Case(RECALL, 2, 1, CONFIG, 0)
    rows = Rows(case, cells.train(case, Cell(tmp_path, 3)))
    np.testing.assert_array_equal(study.final(rows), [0.5] * 3)
    asked = torch.from_numpy(study.families(4, 0)[RECALL].split()[1].sample(200, "attention").tokens)
    for r, model in enumerate(kept):
        first, last = model.attentions(asked)
        before = first[:, 0].diagonal(-1, 1, 2).sum(-1).mean() / asked.shape[1], last[:, 0, -1, -2].mean()
        np.testing.assert_allclose(rows.array("parsing", axis="heads")[r], [b.item() for b in before], rtol=1e-4)
    assert all(isinstance(model, AttentionOnly) for model in kept)


def test_presets_have_a_construction_for_all_codes():
    (row,) = (work.case for work in study.cells(PRESETS["full"], 0) if work.function == "construct")
    assert row.size == 6
