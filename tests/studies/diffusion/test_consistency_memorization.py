"""The study of consistency distillation: planted rows whose verdicts are known, and parts of its cells against slow twins."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Rows
from twopart.lab import Cell
from twopart.studies.diffusion import consistency_memorization as study
from twopart.studies.diffusion import consistency_memorization_cells as torch_cells
from twopart.studies.diffusion.consistency_memorization import (
    COPIED,
    FRESH,
    LONG,
    SHORT,
    STUDENT,
    TEACHER,
    Copied,
    Linear,
)

R = 4
SPREAD = 1 + 1e-3 * np.array([-1.5, -0.5, 0.5, 1.5])
SMALL = Linear(3, 12, 6, 1e3, 40, 2000)


def rows(case, *parts):
    frames = [pl.DataFrame({"replicate": np.arange(R), **part}) for part in parts]
    return Rows(case, pl.concat(frames, how="diagonal"))


def students(**gaps):
    """Gaps and test errors by student and time, a teacher's of 0.2 and 0.55."""
    at = {(TEACHER, SHORT): (0.2, 0.55), (TEACHER, LONG): (0.2, 0.55), (FRESH, SHORT): gaps.get("short", (0.05, 0.52))}
    at |= {(FRESH, LONG): gaps.get("long", (0.195, 0.55)), (COPIED, SHORT): gaps.get("copied", (0.18, 0.55))}
    named = [
        {"axis": "judged", "student": s, "at": τ, "gap": g * SPREAD, "test": e * SPREAD}
        for (s, τ), (g, e) in at.items()
    ]
    return rows(Linear(), *named)


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        (study.suppressed, {"short": (0.12, 0.52)}),
        (study.no_worse, {"short": (0.05, 0.57)}),
        (study.inherited, {"long": (0.17, 0.55)}),
        (study.kept, {"copied": (0.08, 0.55)}),
    ],
)
def test_students_are_judged(claim, wrong):
    assert claim(students()).verdict == "holds"
    assert claim(students(**wrong)).verdict == "fails"


def test_sgd_is_judged_by_its_worst_time():
    def sgd(off):
        law = np.array([0.5, 0.4])
        parts = [
            {"axis": "sgd", "train": v * f * SPREAD, "law_train": v} for v, f in zip(law, (1.01, off), strict=True)
        ]
        return rows(Linear(), *parts)

    assert study.follows(sgd(1.02), TEACHER, "train").verdict == "holds"
    assert study.follows(sgd(0.95), TEACHER, "train").verdict == "fails"
    assert "all 2 times" in study.follows(sgd(1.0), TEACHER, "train").statement


def test_clocks_are_judged_by_their_exponents():
    n = [8, 16, 32]
    linear, flat = (np.array(n) ** power * SPREAD[:, None] for power in (1.0, 0.1))
    assert study.memory_clock(n, linear).verdict == "holds"
    assert study.memory_clock(n, flat).verdict == "fails"
    assert study.general_clock(n, flat).verdict == "holds"
    assert study.general_clock(n, linear).verdict == "fails"


@pytest.mark.parametrize(
    ("claim", "column", "good", "bad"), [(study.forgets, "share", 0.3, 0.6), (study.good, "energy", 0.8, 1.1)]
)
def test_networks_are_judged(claim, column, good, bad):
    case = Copied(study.Networks(), 8, 32, 128)
    for value, verdict in ((good, "holds"), (bad, "fails")):
        both = [{"axis": "samples", "who": who, column: v * SPREAD} for who, v in ((TEACHER, 1.0), (STUDENT, value))]
        assert claim(rows(case, *both)).verdict == verdict


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    return torch_cells.distil(SMALL, Cell(tmp_path_factory.mktemp("cell"), seed=5))


def test_a_teachers_map_and_its_copy(taught):
    """Errors of the cell's teacher, made here step by step; a copy that is not taught begins with one step of the teacher's."""
    cell = Cell(None, seed=5)
    _, points, options = torch_cells.drawn(SMALL, cell)
    teacher = torch_cells.made(SMALL, cell, torch_cells.LEVELS, skip="edm").solve(
        points[0], SMALL.teacher_time, **options
    )
    found = taught.filter(axis="judged", student=TEACHER).row(0, named=True)
    x, _, x0 = torch_cells.noised_points(
        points[1], torch_cells.CLOCK, torch_cells.LEVELS[2], 20_000, options["generator"]
    )
    y = x
    for now, then in zip(torch_cells.LEVELS[2:-1], torch_cells.LEVELS[3:], strict=True):
        (a, s), (b, r) = ((torch_cells.CLOCK.scale(t), torch_cells.CLOCK.std(t)) for t in (now, then))
        y = b * (y / a + (r / b - s / a) * teacher(y, now).detach())
    assert found["test"] == pytest.approx(float((y - x0).square().mean()), rel=0.05)
    assert found["gap"] == found["test"] - found["train"]


def test_sgd_in_the_cell_has_the_law(taught):
    sgd = taught.filter(axis="sgd")
    assert set(sgd["student"]) == {FRESH, COPIED}
    assert np.allclose(sgd["train"], sgd["law_train"], rtol=0.03)
    assert np.allclose(sgd["test"], sgd["law_test"], rtol=0.03)


def test_quality_is_the_distance_of_gaussians():
    """Of exact samples 0, to sampling; of samples at half their size, by hand."""
    world, _, _ = torch_cells.drawn(replace(SMALL, dimension=2), Cell(None, seed=1))
    law = torch_cells.noised(world, study.TIMES[0], torch_cells.CLOCK)
    x, sizes = law.sample(100_000, 3).numpy(), np.sqrt(law.covariance.squeeze().diagonal().numpy())
    assert torch_cells.quality(np.stack([x, x / 2]), world) == pytest.approx(
        [0, np.sqrt(np.square(sizes / 2).sum())], abs=0.02
    )
    assert isinstance(law.mean, torch.Tensor)
