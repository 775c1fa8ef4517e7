"""Penalties on gradients: judges on rows whose verdict is known, cells against plain loops and a slow twin."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch

from twopart._checks import InputError
from twopart.evidence import Found, Rows
from twopart.learners.features import train_patches
from twopart.studies.features import per_example_gradient as study
from twopart.studies.features import per_example_gradient_cells as torch_cells
from twopart.studies.features.per_example_gradient import EACH, MEAN, PRESETS, Config, Growth, Networks, Trained

CONFIG = Config((3.0,), networks=Networks(seeds=2))
CASES = [work.case for work in study.cells(CONFIG, 0)]


def planted(case, **changes):
    """Rows as theory has them, replicates a little apart, but for `changes`, which spoil columns of the cases they pick."""
    if isinstance(case, Growth):
        row = {"signal": case.law.signal, "memory": case.law.memory, "off": 0.03, "bent": 1e-3}
    else:
        late = 0.08 if case.initial == 1e-3 else 0.02  # how far above λ* the two change places
        learned = case.over == EACH and case.part in ("race", "window") and case.ratio > 1 + late
        row = {"error": 0.0 if learned or case.part == "cap" else 0.5, "memory": 0.0 if learned else 9.0, "signal": 4.0}
        row |= {"loss": np.log(2) if case.share > case.squares[1] / case.squares[0] else 0.01, "start": 1.4}
        if case.part == "cap":
            row["memory"] = 0.35 if case.weight else 9.0
        if case.part == "limit":
            row["error"] = 0.5 if case.weight else 0.0
    for name, (picked, change) in changes.items():
        row[name] = change(row[name]) if name in row and picked(case) else row.get(name)
    rows = [{"replicate": i, "axis": "end"} | {k: v * near for k, v in row.items() if v is not None}
            for i, near in enumerate((0.999, 1.001))]  # fmt: skip
    return Rows(case, pl.DataFrame(rows), "grow" if isinstance(case, Growth) else "learn")


def judged(**changes):
    return list(study.claims(Found(CONFIG, tuple(planted(case, **changes) for case in CASES))))


def test_what_the_law_says_holds():
    claims = judged()
    assert {claim.verdict for claim in claims} == {"holds"}
    assert len(claims) == 2 + 3 + 3 + 3 * 2 + 2 + 1, (
        "rates, the race, the window, the mean gradient, the cap, the limit"
    )


def part(name, over=EACH):
    return lambda case: case.part == name and case.over == over


@pytest.mark.parametrize(
    ("spoiled", "failing"),
    [
        ({"signal": (part("rates"), lambda r: 1.05 * r)}, 1),
        ({"off": (part("rates"), lambda r: 0.12)}, 1),
        ({"error": (lambda case: case.part == "race" and case.ratio < 1.3, lambda e: 0.5)}, 2),
        ({"error": (lambda case: part("race")(case) and case.initial == 1e-3 and case.ratio > 0.9, lambda e: 0.0)}, 1),
        ({"memory": (part("window"), lambda b: 0.02)}, 1),
        ({"error": (part("window"), lambda e: 0.01)}, 1),
        ({"loss": (part("window"), lambda x: x - 0.01)}, 1),
        ({"error": (part("race", MEAN), lambda e: 0.3)}, 4),
        ({"error": (lambda case: part("race")(case) and case.ratio > 1.9, lambda e: 0.02)}, 2),
        ({"memory": (part("cap"), lambda b: 0.8)}, 1),
        ({"signal": (part("cap"), lambda a: 2.0)}, 1),
        ({"error": (part("limit"), lambda e: 0.1 - e / 5)}, 1),
    ],
)
def test_what_it_denies_fails(spoiled, failing):
    assert sum(claim.verdict == "fails" for claim in judged(**spoiled)) == failing


def test_rates_that_are_not_early_decide_nothing():
    late = judged(bent=(part("rates"), lambda x: 0.03))
    assert [claim.verdict for claim in late[:2]] == ["inconclusive"] * 2


def test_memory_that_is_fitted_at_once_does_not_count():
    case = next(case for case in CASES if case.part == "cap" and case.weight)
    high = [planted(case, start=(part("cap"), lambda b: 1.8), memory=(part("cap"), lambda b: 5.0)).frame]
    mixed = [*(planted(case).frame.with_columns(replicate=pl.col("replicate") + 2 * i) for i in (1, 2)), *high]
    assert study.pulled_down(Rows(case, pl.concat(mixed), "learn")).verdict == "holds"
    assert study.pulled_down(Rows(case, high[0], "learn")).verdict == "inconclusive"


def test_where_errors_cross():
    assert study.crossing([0, 1, 1.1, 1.2], np.array([0.5, 0.5, 0.3, 0.1])) == pytest.approx(1.125)
    assert study.crossing([0, 1, 2], np.array([0.5, 0.2, 0.5])) == np.inf
    assert study.crossing([0, 1], np.array([0.1, 0.0])) == 0


def cell():
    return SimpleNamespace(seed=3, device="cpu", progress=lambda *_: None)


SMALL = Trained("race", 2.0, 60, 0.1, 0.2, EACH, "relu2", Networks(points=6, step=0.3, time=8, seeds=2, tests=400), 5)


@pytest.mark.parametrize("case", [SMALL, replace(SMALL, over=MEAN)])
def test_a_cell_against_autograd_in_weights(case):
    """The same descent in d dimensions, penalised through autograd, and plain loops over neurons and points."""
    (_, samples), start = torch_cells.points(case), torch_cells.networks(case, cell())
    x, y = torch_cells.stack(samples)

    def penalty(network, x, y):
        losses = torch.nn.functional.softplus(-y * network(x))
        if case.over == MEAN:
            (g,) = torch.autograd.grad(losses.mean(1).sum(), network.weights, create_graph=True)
            return case.weight / 2 * g.square().sum()
        each = [torch.autograd.grad(losses[:, i].sum(), network.weights, create_graph=True)[0] for i in range(6)]
        return case.weight / 2 * sum(g.square().sum() for g in each) / 6

    twin = train_patches(start, x, y, steps=case.steps, rate=case.rate, penalty=penalty)
    found = torch_cells.learn(case, cell()).filter(pl.col("axis") == "end")
    for b, sample in enumerate(samples):
        w, known = twin.weights[b].numpy(), {"signal": [], "memory": []}
        for side, label in enumerate((1, -1)):
            known["signal"] += [label * row @ torch_cells.points(case)[0][b].directions[0] for row in w[side]]
            own = [i for i in range(6) if sample.label[i] == label]
            known["memory"] += [row @ sample.x[i, 1] for row in w[side] for i in own]
        for name, values in known.items():
            assert found[name][b] == pytest.approx(float(max(values)), abs=1e-8)


def test_growth_is_the_laws_where_noise_is_orthogonal():
    networks = replace(SMALL.networks, step=0.1)
    case = Growth("rates", 20.0, 4000, 1e-4, 0.5 * 10 / 4000, EACH, "relu2", networks, 5)
    found = torch_cells.grow(case, cell())
    assert found["signal"].to_numpy() == pytest.approx(float(case.law.signal), rel=5e-3)
    assert found["memory"].to_numpy() == pytest.approx(float(case.law.memory), rel=0.1)
    assert found["off"].max() < 0.1
    assert found["bent"].max() < 1e-2


def test_signals_that_win_anyway_are_refused():
    with pytest.raises(InputError, match=r"`norms` must be < 6\.32"):
        Config((3.0, 7.0))


def test_no_cell_is_run_twice():
    cases = [work.case for work in study.cells(PRESETS["small"], 0)]
    assert len(set(cases)) == len(cases) == 2 * (2 * 12 + 2 * 2 + 4) + 4 + 6
