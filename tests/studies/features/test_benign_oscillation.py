"""Benign oscillation: judges on rows whose verdict is known, a cell against a torch loop, tables against plain numbers."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Found, Rows, long
from twopart.lab import Cell
from twopart.laws.features import oscillation as law
from twopart.learners.features import PatchNetConfig, initialise_patches
from twopart.studies.features import benign_oscillation as study
from twopart.studies.features import benign_oscillation_cells as torch_cells
from twopart.studies.features.benign_oscillation import Config, Descent, Networks
from twopart.worlds.features import SignalNoise, StrongWeak

CONFIG = Config((0.5, 0.95, 1.1, 1.2, 1.4, 1.55, 1.9), (1.05, 1.2), (0.5, 1.1, 1.2, 1.3, 1.4))
CASES = [work.case for work in study.cells(CONFIG, 0)]
NEAR = np.array([0.998, 1.0, 1.002])  # replicates


def planted(case, **factors):
    """Rows as the law has them, but for `factors`, which spoil columns at the end, and `growth` on the way."""
    k, end = case.kappa, law.weak_end(case.kappa, 0.2)
    cycling = law.mean_residual(k) if k < 1.23 else {1.55: 0.441, 1.9: 0.107}.get(k, 0.1)
    weak = end * (1.12 if case.patches > 2 else 1.0) if k > 1 else 2e-4
    values = {"weak": weak, "strong": 1 - weak, "residual": cycling, "error": 0.0 if k > 1 else 0.2}
    rows = [long("end", {name: value * NEAR * factors.get(name, 1.0) for name, value in values.items()})]
    if case.points == 1 and case.weak:
        step = np.arange(0, 12_000, 100)
        rate = law.weak_growth(k, 0.2) * factors.get("growth", 1.0)
        c2 = np.minimum(np.log(1e-8) + 2 * rate * step, np.log(end))
        rows.append(long("course", {"step": np.tile(step, (3, 1)), "weak": np.exp(c2) * NEAR[:, None]}))
    if not case.weak:
        rows.append(long("orbit", {"output": np.tile([0.8, 1.1], (3, 1))}))
    return Rows(case, pl.concat(rows, how="diagonal"))


def judged(only=lambda case: True, **factors):
    parts = tuple(planted(case, **(factors if only(case) else {})) for case in CASES)
    return list(study.claims(Found(CONFIG, parts)))


def failing(only=lambda case: True, **factors):
    return sum(claim.verdict == "fails" for claim in judged(only, **factors))


def test_what_the_law_says_holds():
    claims = judged()
    assert {claim.verdict for claim in claims} == {"holds"}
    assert len(claims) == 1 + 2 + 2 + 3 + 3 + 1 + 1, (
        "onset, residuals, growth, ends, the small rate, z², noise everywhere"
    )


@pytest.mark.parametrize(
    ("only", "factors", "count"),
    [
        (lambda case: not case.weak, {"residual": 1.05}, 2),
        (lambda case: case.points == 1, {"growth": 1.2}, 2),
        (lambda case: case.points == 1, {"growth": 0.9}, 2),
        (lambda case: case.patches == 2, {"weak": 1.06}, 3),
        (lambda case: case.patches == 2, {"weak": 0.94}, 3),
        (lambda case: case.patches == 3, {"weak": 0.9}, 1),
        (lambda case: case.kappa == 0.5, {"weak": 100}, 1),
        (lambda case: case.kappa == 0.5, {"error": 0.02}, 1),
        (lambda case: case.kappa == 1.9, {"residual": 5}, 1),
    ],
)
def test_what_it_denies_fails(only, factors, count):
    assert failing(only, **factors) == count


def test_a_residual_below_the_onset_or_an_error_above_it_fails():
    near = planted(next(case for case in CASES if case.kappa == 0.95))
    off = Rows(near.case, near.frame.with_columns(residual=pl.lit(2e-3)))
    assert (study.settles(near).verdict, study.settles(off).verdict) == ("holds", "fails")
    large = planted(CASES[-1])
    wrong = Rows(large.case, large.frame.with_columns(error=pl.lit(0.02)))
    assert (study.benign(large).verdict, study.benign(wrong).verdict) == ("holds", "fails")


def test_growth_that_was_not_seen_decides_nothing():
    t = next(t for t in (planted(case, growth=0.0) for case in CASES) if t.case.weak and t.case.points == 1)
    ended = Rows(t.case, t.frame.with_columns(weak=pl.when(pl.col("axis") == "course").then(0.5).otherwise("weak")))
    assert study.feeds(ended).verdict == "inconclusive"


def test_a_cell_against_a_plain_loop(tmp_path):
    """One point with both features, both replicates: every output, what is missed on average, what is known at the end."""
    case = Descent(1.2, 0.3, 1, 2, 0.0, 0.0, 6, 50, "relu2", Networks(8, 0.05, 2, 100), 5)
    cell = Cell(tmp_path, seed=3)
    found = Rows(case, torch_cells.descend(case, cell))
    seeds = [int(key >> 1) for key in torch_cells._random.keys(cell.seed, 2, "patch-net")]
    for b in range(2):
        world = SignalNoise(StrongWeak(1.0, 0.3, 0.0), dimension=6, patches=2, noise=0.0, seed=5 + b)
        sample = world.sample(1)
        w = initialise_patches(PatchNetConfig(8, "relu2", initial=0.05), 6, [seeds[b]], dtype=torch.float64).weights[0]
        w, x, y = w.clone().requires_grad_(), torch.from_numpy(sample.x[0]).double(), float(sample.label[0])
        fs = []
        for _ in range(51):
            sides = (w @ x.T).relu().square().sum(2).mean(1)
            f = sides[0] - sides[1]
            fs.append(y * float(f.detach()))
            before = w.detach().clone()
            (slope,) = torch.autograd.grad((y - f) ** 2 / 2, [w])
            w.data -= 1.2 * 8 / 2 * slope
        assert found.array("output", axis="orbit")[b] == pytest.approx(fs, abs=1e-10)
        assert found.array("residual", axis="end")[b] == pytest.approx(1 - np.mean(fs[12:36]), abs=1e-10)
        for k, name in enumerate(("weak", "strong")):
            side = before[0 if y > 0 else 1].numpy() @ (y * world.directions[k])
            assert found.array(name, axis="end")[b] == pytest.approx((side.clip(0) ** 2).mean(), abs=1e-8)


def test_what_is_known_is_the_mean_over_labels():
    world = SignalNoise(StrongWeak(1.0, 0.3, 0.2), dimension=20, seed=1)
    network = initialise_patches(PatchNetConfig(4, "relu2", initial=1.0), 20, [0], dtype=torch.float64)
    labels = torch.tensor([[1.0, 1.0, 1.0, -1.0]], dtype=torch.float64)
    known = torch_cells.known(network, [world], labels)
    along = network.weights[0].numpy() @ world.directions.T
    expected = 0.75 * (along[0].clip(0) ** 2).mean(0) + 0.25 * ((-along[1]).clip(0) ** 2).mean(0)
    assert [float(known["weak"]), float(known["strong"])] == pytest.approx(expected, rel=1e-6)


def test_tables_against_plain_numbers():
    found = Found(CONFIG, tuple(planted(case) for case in CASES))
    rates = pl.concat(study.by_rate(found), how="diagonal")
    at = rates.filter((pl.col("kappa") == 1.2) & (pl.col("series") == study.NETWORKS) & pl.col("weak").is_not_null())
    assert at["weak"].item() == pytest.approx(0.2 / (1.2 - 0.048), rel=1e-3)
    outputs = pl.concat(study.outputs(found), how="diagonal").filter(pl.col("series") == study.NETWORKS)
    assert set(outputs.select("end", "output").rows()) == {("least", 0.8), ("greatest", 1.1)}
    course = pl.concat(study.courses(found), how="diagonal").filter(
        pl.col("series") == "law", pl.col("rate") == "κ = 1.2"
    )
    assert course["weak"][0] == pytest.approx(0.5e-6 * 0.04 * (2e6) ** 0.04, rel=1e-6)
    assert course["weak"][-1] == pytest.approx(law.weak_end(1.2, 0.2))


def test_rates_past_the_life_of_an_activation_are_not_run_on_it():
    assert {case.kappa for case in CASES if case.activation == "relu2" and not case.weak} == {
        0.5,
        0.95,
        1.1,
        1.2,
        1.4,
        1.55,
    }
    assert len({replace(case, seed=0) for case in CASES}) == len(CASES) == 6 + 7 + 2 + 5 + 1
