"""The study of what diffusion learns: judges on rows whose verdict is known, cells against plain loops, tables."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from twopart import _random
from twopart.evidence import Found, Rows, long
from twopart.lab import Cell
from twopart.laws.features import denoising as law
from twopart.learners.features import DenoiserConfig, PatchNetConfig, initialise_denoiser, initialise_patches
from twopart.studies.features import diffusion_feature_learning as study
from twopart.studies.features import diffusion_feature_learning_cells as torch_cells
from twopart.studies.features.diffusion_feature_learning import Config, Learn, Sampled, Training
from twopart.worlds.features import PerClass, SignalNoise

CONFIG = Config((0.5, 1.0, 2.0, 3.0, 6.0), (0.3, 2.0), (1e-4, 1e-2), others=1, norms=(3.0, 9.0), sizes=(10, 20))
WORKS = list(study.cells(CONFIG, 0))
NEAR = np.array([0.99, 1.0, 1.01])  # replicates


def planted(work, spoil=()):
    """Rows as the laws have them, but for what `spoil` changes: by function, a map of case and ratio."""
    case = work.case
    if isinstance(case, Sampled):
        end = {"deviation": np.array([1.0]), "quadrature": np.array([1e-14])}
        return Rows(case, long("end", end | dict(spoil).get("compare", {})), "compare")
    place = case.points, *case.squares
    ratio = {"denoise": lambda: case.rest("orthogonal").ratio, "begin": lambda: law.early_ratio(*place)}
    value = float(ratio.get(work.function, lambda: case.raced)())
    value = dict(spoil).get(work.function, lambda case, value: value)(case, value)
    step = np.tile([0.0, 10.0, 20.0], (3, 1))
    way = long("way", {"step": step, "signal": step + NEAR[:, None], "memory": 2 * step + 1})
    return Rows(
        case, pl.concat([way, long("end", {"ratio": value * NEAR, "loss": NEAR})], how="diagonal"), work.function
    )


PLAIN = [planted(work) for work in WORKS]


def verdicts(**spoil):
    rows = [planted(work, spoil) if work.function in spoil else one for work, one in zip(WORKS, PLAIN, strict=True)]
    return [claim.verdict for claim in study.claims(Found(CONFIG, tuple(rows)))]


NAMES = ["sampled", "integrated", "turns", "turns", "rests", "rests", "rests", "least", "greatest", "memorises", "memorises",
         "generalises", "ties", "sharper", "crosses", "proportion", "ansatz"]  # fmt: skip


def failing(**spoil):
    return {name for name, verdict in zip(NAMES, verdicts(**spoil), strict=True) if verdict == "fails"}


def test_what_the_laws_say_holds_but_for_proportion():
    assert set(verdicts()) == {"holds", "fails"}
    assert failing() == {"proportion"}


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (
            {
                "compare": {"deviation": np.array([4.5]), "quadrature": np.array([1e-9])},
                "begin": lambda case, ratio: 1.15 * ratio,
                "denoise": lambda case, ratio: 0.75 * ratio,
                "classify": lambda case, ratio: np.clip(ratio, 0.06, 20.0),
            },
            {"sampled", "integrated", "turns", "rests", "memorises", "generalises", "proportion"},
        ),
        (
            {
                "begin": lambda case, ratio: 0.85 * ratio,
                "denoise": lambda case, ratio: case.strength / 2,
                "classify": lambda case, ratio: ratio / 8 if case.strength < 5.9 else ratio,
            },
            {"turns", "rests", "least", "ansatz", "ties", "crosses"},
        ),
        (
            {
                "denoise": lambda case, ratio: 1 + case.strength**2,
                "classify": lambda case, ratio: ratio ** (1.0 if case.initial == 1e-4 else 3.0),
            },
            {"rests", "greatest", "proportion", "ansatz", "sharper"},
        ),
    ],
)
def test_what_they_deny_fails(spoil, expected):
    assert failing(**spoil) == expected


CASE = Learn(6, 30, 4.0, 3, 0.2, 0.02, Training(0.05, 100, 0.1, 5, 2), 5)


@pytest.fixture(scope="module")
def data():
    """Points, signals, noise and first weights' seeds of both replicates."""
    worlds = [SignalNoise(PerClass(4.0), 30, seed=5 + b) for b in range(2)]
    samples = [world.sample(6) for world in worlds]
    keys = [int(key >> 1) for key in _random.keys(5, 2, "patch-net")]
    return worlds, samples, keys


def test_a_denoisers_cell_against_a_plain_loop(data, tmp_path):
    worlds, samples, keys = data
    found = Rows(CASE, torch_cells.denoise(CASE, Cell(tmp_path, seed=3)))
    w = initialise_denoiser(DenoiserConfig(3, initial=0.02), 30, keys, dtype=torch.float64).weights[1]
    x = torch.from_numpy(samples[1].x).double()
    for step in range(100):
        w.requires_grad_()
        loss = 2 * torch_cells.expected_denoising_loss(w, x.flatten(0, 1), *law.noising(0.2))
        (slope,) = torch.autograd.grad(loss, w)
        w = w.detach() - 0.05 * (1 - step / 100) * w.detach().norm() * slope / slope.norm()
    signal, noise = w @ torch.from_numpy(worlds[1].directions).T, w @ x[:, 1].T
    assert found.array("ratio", axis="end")[1] == pytest.approx(
        float(signal.abs().mean() / noise.abs().mean()), rel=1e-6
    )
    assert found.array("signal", axis="way")[1, -1] == pytest.approx(float(signal.abs().mean()), rel=1e-6)
    assert found.array("step", axis="way")[1].tolist() == [0, 20, 40, 60, 80, 100]


def test_an_early_cell_reads_at_a_length(data, tmp_path):
    case = replace(CASE, initial=1e-3)
    rows = Rows(case, torch_cells.begin(case, Cell(tmp_path, seed=3)))
    assert rows.array("ratio", axis="end").shape == (2,)
    assert rows.array("step", axis="way").max() < 100
    again = Rows(case, torch_cells.denoise(case, Cell(tmp_path, seed=3), until=0.0))
    w = initialise_denoiser(DenoiserConfig(3, initial=1e-3), 30, data[2], dtype=torch.float64).weights[0]
    both = [w @ torch.from_numpy(part).double().T for part in (data[0][0].directions, data[1][0].x[:, 1])]
    first = float(both[0].abs().mean() / both[1].abs().mean())
    assert again.array("ratio", axis="end")[0] == pytest.approx(first, rel=1e-6)


def test_a_classifiers_cell_against_a_plain_loop(data, tmp_path):
    worlds, samples, keys = data
    found = Rows(CASE, torch_cells.classify(CASE, Cell(tmp_path, seed=3)))
    w = initialise_patches(PatchNetConfig(3, "square", initial=0.02), 30, keys, dtype=torch.float64).weights[0]
    x, y = torch.from_numpy(samples[0].x).double(), torch.from_numpy(samples[0].label)
    rate = 0.1 / max(16 / 6, 28 / 18)
    while True:
        w.requires_grad_()
        sides = (w @ x.flatten(0, 1).T).square().mean(1).view(2, 6, 2).sum(2)
        loss = torch.nn.functional.softplus(-y * (sides[0] - sides[1])).mean()
        if loss < 0.05:
            break
        w = w.detach() - rate * torch.autograd.grad(loss, w)[0]
    signal, noise = (w.detach() @ part.T for part in (torch.from_numpy(worlds[0].directions), x[:, 1]))
    expected = float((signal.square().mean() / noise.square().mean()).sqrt())
    assert found.array("ratio", axis="end")[0] == pytest.approx(expected, rel=1e-6)


def test_the_loss_is_compared_in_standard_errors(tmp_path, monkeypatch):
    exact = torch_cells.expected_denoising_loss
    seen = torch_cells.compare(Sampled(20_000), Cell(tmp_path, seed=3))
    assert abs(seen["deviation"].item()) < 5
    assert seen["quadrature"].item() < 1e-12
    monkeypatch.setattr(torch_cells, "expected_denoising_loss", lambda *of: 1.05 * exact(*of))
    off = torch_cells.compare(Sampled(20_000), Cell(tmp_path, seed=3))
    assert abs(off["deviation"].item()) > 5
    assert off["quadrature"].item() == pytest.approx(1 - 1 / 1.05)


def test_tables_against_plain_numbers():
    found = Found(CONFIG, tuple(PLAIN))
    makers = {"ratio": study.by_strength, "course": study.courses, "map": study.mapped, "threshold": study.thresholds}
    frames = {name: pl.concat(rows(found), how="diagonal") for name, rows in makers.items()}
    at = frames["ratio"].filter(series="law, early")
    assert at["ratio"].to_list() == pytest.approx((at["strength"] / 2).to_list(), rel=1e-9)
    assert set(frames["ratio"]["series"]) == {"networks", *(name for name, _ in study.LAWS)}
    tie = frames["threshold"].filter((pl.col("strength") - 2).abs() < 1e-9, series="networks")
    assert tie["ratio"].to_list() == pytest.approx([np.sqrt(0.1)] * 2, rel=1e-3)
    place = frames["map"].filter(network="classifier", points=10.0, norm=9.0)
    assert 10 ** place["ratio"].item() == pytest.approx(law.race_end(10, 81.0, 298.0, 1e-4), rel=1e-3)
    assert frames["course"].filter(series="memory")["size"].max() == 41
