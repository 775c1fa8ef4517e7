"""Benign overfitting on XOR data: judges on rows whose verdict is known, a cell against plain loops, tables against the law."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Found, Rows
from twopart.laws.features import xor_error
from twopart.learners.features import PatchNetConfig, initialise_patches, stack, train_patches
from twopart.studies.features import xor_benign_overfitting as study
from twopart.studies.features import xor_benign_overfitting_cells as torch_cells
from twopart.studies.features.xor_benign_overfitting import PRESETS, Config, Overfit
from twopart.worlds.features import SignalNoise, Xor

CONFIG = Config((80, 160), (4000,), (0.3, 0.8, 4.0), (0.0, 0.6), (0.0, 0.1), 0.1, (20, 80), (2.0, 5.0, 16.0))
CASES, ACTIVE, LOSS = [work.case for work in study.cells(CONFIG, 0)], 0.76, 0.006
MAP = [case for case in CASES if case.mapped]


@cache
def lawful(case):
    return xor_error(case.points, case.dimension, case.norm, 1.0, case.flips, case.cosine, ACTIVE, loss=LOSS)


def planted(case, **factors):
    """Rows as the law has them, replicates 0.2 % apart, but for `factors`, which spoil columns."""
    rows = []
    for i, near in enumerate((0.998, 1.0, 1.002)):
        law = lawful(case)
        row = {"error": law.clean * near, "signal": law.ratio * near, "memory": 1.0, "active": ACTIVE * near}
        row |= {"train_error": 0.0, "loss": LOSS, "flips": case.flips}
        rows.append({"replicate": i} | row | {k: v(row[k]) if callable(v) else row[k] * v for k, v in factors.items()})
    return Rows(case, pl.DataFrame(rows))


def judged(**factors):
    return list(study.claims(Found(CONFIG, tuple(planted(case, **factors) for case in CASES))))


def test_what_the_law_says_holds():
    claims = judged()
    assert {claim.verdict for claim in claims} == {"holds"}
    assert len(claims) == 3 + 2 + 3 + 1 + 2 + 1, "angles, signals, errors, the active share, the benign side, the map"


@pytest.mark.parametrize(
    ("spoiled", "failing"),
    [
        ({"error": lambda e: e + 0.02}, 4),
        ({"signal": 1.2}, 2),
        ({"active": 0.6}, 5),
        ({"train_error": lambda e: 0.01}, 1),
    ],
)
def test_what_it_denies_fails(spoiled, failing):
    assert sum(claim.verdict == "fails" for claim in judged(**spoiled)) == failing


def test_angles_that_do_not_collapse_fail_and_networks_not_trained_decide_nothing():
    right = next(case for case in CASES if case.points == 80 and not case.mapped)
    same = [planted(right), planted(replace(right, cosine=0.6, norm=right.norm / 0.8))]
    assert study.collapse(same).verdict == "holds"
    off = planted(same[-1].case, error=lambda e: e - 0.03)
    assert study.collapse([*same[:-1], off]).verdict == "fails"
    untrained = planted(same[0].case, loss=10)
    assert study.collapse([untrained, *same[1:]]).verdict == "inconclusive"


def test_the_wrong_side_of_the_map_fails():
    measured = [planted(case) for case in MAP]
    assert study.sides(measured).verdict == "holds"
    assert study.sides([planted(MAP[0], error=lambda e: 0.0), *measured[1:]]).verdict == "fails"


def test_the_threshold_is_where_the_law_is_at_p_plus_a_tenth():
    (line,) = study.threshold([planted(case) for case in MAP])
    for points, norm in line.select("points", "norm").iter_rows():
        law = xor_error(points, 4000, norm, flips=0.1, active=ACTIVE)
        assert law.noisy == pytest.approx(0.2, abs=2e-3)


def test_a_map_has_no_gaps():
    (frame,) = study.mapped([planted(case) for case in MAP])
    rows = frame.sort("points", "norm")
    assert rows["to"].unique().sort()[:-1].to_list() == pytest.approx(rows["from"].unique().sort()[1:].to_list())
    assert ((rows["from"] < rows["points"]) & (rows["points"] < rows["to"])).all()
    assert ((rows["low"] < rows["norm"]) & (rows["norm"] < rows["high"])).all()


def test_what_neurons_know_against_plain_loops():
    worlds = [SignalNoise(Xor(2.0, 0.3), dimension=40, noise=0.5, flips=0.2, seed=s) for s in (1, 2)]
    samples = [world.sample(16) for world in worlds]
    x, y = stack(samples)
    start = initialise_patches(PatchNetConfig(5, initial=0.1), 40, [1, 2], dtype=torch.float64)
    network = train_patches(start, x, y, steps=20, rate=1.0)
    read = torch_cells.read(network, worlds, samples)
    for b, (world, sample) in enumerate(zip(worlds, samples, strict=True)):
        active, memory, along, w = [], [], [], network.weights[b].numpy()
        for side, label in enumerate((1, -1)):
            for r in range(5):
                along.append(abs(w[side, r] @ world.directions[side]))
                for i in range(16):
                    if sample.label[i] == label:
                        h = float(w[side, r] @ sample.x[i, 1])
                        active.append(h > 0)
                        memory += [h] if h > 0 and sample.clean[i] == label else []
        expected = {"active": np.mean(active), "memory": np.mean(memory), "signal": np.mean(along)}
        expected["flips"] = (sample.label != sample.clean).mean()
        assert {name: float(values[b]) for name, values in read.items()} == pytest.approx(expected)
    margins = torch.tensor([[0.5, -1.0, 2.0, 3.0]])
    seen = torch_cells.on_training(margins)
    assert float(seen["train_error"]) == 0.25
    assert float(seen["loss"]) == pytest.approx(np.log1p(np.exp(-margins.numpy())).mean())


def test_cells_share_their_worlds_and_none_is_run_twice():
    cases = [work.case for work in study.cells(PRESETS["small"], 0)]
    assert len({replace(case, seed=0) for case in cases}) == len(cases) == 20 + 15 + 10 + 28
    assert len({case.seed for case in cases}) == 1
    assert all(isinstance(case, Overfit) for case in cases)
