"""Mixup: judges on rows whose verdict is known, a cell against autograd on all pairs, tables against plain numbers."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from twopart import _random
from twopart.evidence import Found, Rows, long
from twopart.lab import Cell
from twopart.laws.features.mixup import equilibrium
from twopart.learners.features import PatchNetConfig, initialise_patches
from twopart.studies.features import mixup as study
from twopart.studies.features import mixup_cells as torch_cells
from twopart.studies.features.mixup import LOOKS, WHOLE, Config, Networks, Train
from twopart.worlds.features import CommonRare, SignalNoise

CONFIG = Config((0.6, 0.7), 0.6, (0.5, 0.8, 1.0), (1, 3))
CASES = [work.case for work in study.cells(CONFIG, 0)]
NEAR = np.array([0.998, 1.0, 1.002])[:, None]  # replicates


def planted(case, **changes):
    """Rows as theory has them, but for columns that are multiplied, or of `accuracy` lowered, by the changes."""
    plain, linear = case.weight == 1, case.activation == "identity"
    logit = 8.0 if plain or case.stop < WHOLE else min(27.0, equilibrium(case.weight, case.label_weight))
    values = {
        "logit": logit,
        "common": logit,
        "rare": 0.06 if plain else {"first": 3.5, "random": 0.86, "apart": 0.006}[case.slots],
        "memory": 0.5,
        "accuracy": 0.9 if plain or linear else {"apart": 0.6}.get(case.slots, 0.99),
        "common_accuracy": 1.0,
    }
    when = np.tile([part for part in LOOKS if part <= case.length], (3, 1))
    shape = NEAR * np.ones(when.shape)
    columns = {name: value * shape * changes.get(name, 1.0) for name, value in values.items()}
    columns["accuracy"] = columns["accuracy"] - changes.get("lower", 0.0)
    parts = [long("way", columns | {"part": when, "step": 100 * when})]
    if not plain:
        parts.append(long("start", {"identity": np.full(3, changes.get("identity", 1e-16))}))
    return Rows(case, pl.concat(parts, how="diagonal"))


SOUND = [planted(case) for case in CASES]


def judged(*spoilt):
    """Of pairs: which cases, and how their rows are changed."""
    parts = [next((planted(t.case, **changes) for only, changes in spoilt if only(t.case)), t) for t in SOUND]
    return list(study.claims(Found(CONFIG, tuple(parts))))


def test_what_the_law_says_holds():
    claims = judged()
    assert {claim.verdict for claim in claims} == {"holds"}
    assert len(claims) == 1 + 4 + 2 + 2 + 2 * 4 + 3, "early, ends, rare, apart, labels and stops, linear"


def mixes(case):
    return case.weight < 1 and case.activation == "square"


def ends(case):
    return mixes(case) and case.label_weight is None and case.stop == WHOLE


def plain(*slots):
    return lambda case: case.weight == 1 and case.activation == "square" and case.slots in slots


SPOILT = {  # what is changed at once is judged by different claims
    "rare": [
        (plain("first", "random"), {"rare": 3.0}, 2),
        (plain("apart"), {"rare": 0.1}, 1),
        (lambda case: case.label_weight == 0.8, {"rare": 0.6, "identity": 1e-9}, 2 + 1),
        (lambda case: case.stop == 1, {"lower": 0.02}, 2),
        (lambda case: case.weight < 1 and case.activation == "identity", {"lower": 0.3}, 3),
    ],
    "high": [
        (lambda case: ends(case) and case.slots != "apart", {"logit": 1.05}, 2),
        (ends, {"logit": 1.05, "lower": -0.35}, 2 + 1),
        (lambda case: case.label_weight == 1.0, {"logit": 0.5}, 2),
    ],
    "low": [(ends, {"logit": 0.95}, 4), (lambda case: case.stop == 1, {"logit": 0.7}, 2)],
}


@pytest.mark.parametrize("which", SPOILT)
def test_what_it_denies_fails(which):
    claims = judged(*((only, changes) for only, changes, _ in SPOILT[which]))
    assert sum(claim.verdict == "fails" for claim in claims) == sum(count for *_, count in SPOILT[which])


def test_accuracy_apart_is_judged_only_where_standard_training_has_some():
    claims = judged((plain("apart"), {"lower": 0.2}))
    assert [claim.verdict for claim in claims if "harms" in claim.statement] == ["inconclusive"]


def test_a_cell_against_autograd_on_all_pairs(tmp_path):
    """Both replicates, mixed for two looks and then not, with another weight for labels: what is known at every look."""
    net = Networks(6, 12, noise=1.0, neurons=2, initial=0.1, rate=0.2, steps=15, rare=0.3, seeds=2, tests=100)
    case = Train("random", net, 5, 0.6, 0.9, stop=2, length=4)
    found = Rows(case, torch_cells.train(case, Cell(tmp_path, seed=3)))
    assert found.array("step", axis="way").tolist() == [[0, 1, 2, 4]] * 2
    assert found.array("identity", axis="start").max() < 1e-15
    keys = [int(key >> 1) for key in _random.keys(5, 2, "patch-net")]
    for b in range(2):
        world = SignalNoise(CommonRare(rare=0.3), 12, (1 / 12) ** 0.5, 3, slots="random", seed=5 + b)
        sample = world.sample(6)
        x, y = torch.from_numpy(sample.x).double(), torch.from_numpy(sample.label).double()
        config = PatchNetConfig(2, "square", scale="sum", initial=0.1)
        w = initialise_patches(config, 12, [keys[b]], dtype=x.dtype).weights[0].clone().requires_grad_()
        for look in range(5):
            known = (w.detach().numpy() @ world.directions.T) ** 2
            own = (known[0, :, [0, 2]].sum(1) + known[1, :, [1, 3]].sum(1)) / 2
            other = (known[1, :, 0].sum() + known[0, :, 1].sum()) / 2
            noise = [(p, int(s)) for i, s in enumerate(sample.label) for p in sample.x[i][sample.noisy[i]]]
            memory = np.mean([((w.detach().numpy()[0 if s > 0 else 1] @ p) ** 2).sum() for p, s in noise])
            expected = {"common": own[0], "rare": own[1], "logit": own[0] - other, "memory": memory}
            for name, value in expected.items() if look != 3 else ():
                assert found.array(name, axis="way")[b, min(look, 3)] == pytest.approx(value, rel=1e-6), (name, look)
            lam, mu = (0.6, 0.9) if look < 2 else (1.0, 1.0)
            losses = []
            for i in range(6):
                for j in range(6):
                    point, odds = lam * x[i] + (1 - lam) * x[j], (1 + mu * y[i] + (1 - mu) * y[j]) / 2
                    side = (w @ point.T).square().sum((1, 2))
                    losses.append(-odds * side.log_softmax(0)[0] - (1 - odds) * side.log_softmax(0)[1])
            w.data -= 0.2 * torch.autograd.grad(torch.stack(losses).mean(), w)[0]


def test_tables_against_plain_numbers():
    found = Found(CONFIG, tuple(SOUND))
    frames = {name: pl.concat(rows(found), how="diagonal_relaxed") for name, rows in (
        ("course", study.courses), ("stop", study.by_stop), ("end", study.by_weight), ("label", study.by_label),
    )}  # fmt: skip
    rare = frames["course"].filter(
        pl.col("series") == "rare feature", pl.col("training") == "Mixup", pl.col("slots") == "first"
    )
    assert rare["size"].to_list() == pytest.approx([3.5] * 8)
    assert rare["step"].to_list() == [100 * part for part in LOOKS[1:]]
    stop = frames["stop"].filter(pl.col("series") == "apart")
    assert stop["share"].to_list() == pytest.approx([0, 1 / 9, 3 / 9, 1])
    assert stop["accuracy"].to_list() == pytest.approx([0.9, 0.6, 0.6, 0.6])
    assert stop["logit"].to_list() == pytest.approx([8, 8, 8, equilibrium(0.6)])
    end = frames["end"].filter(pl.col("series") == "apart")
    assert end["logit"].to_list() == pytest.approx(equilibrium([0.6, 0.7]))
    label = frames["label"].filter(pl.col("series") == "common logit", pl.col("slots") == "random")
    assert label["mu"].to_list() == [0.5, 0.6, 0.8, 1.0]
    assert label["size"].to_list() == pytest.approx([*equilibrium(0.6, [0.5, 0.6, 0.8]), 27.0])


def test_every_cell_is_asked_for_once():
    assert len(set(CASES)) == len(CASES) == 3 * (1 + 2 + 2 + 2) + 2 * 3
    assert len({replace(case, seed=0) for case in CASES}) == len(CASES)
