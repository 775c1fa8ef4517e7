"""Critical batch sizes: exact data, the published table, closed forms, plain loops; and everything that is refused."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import linregress

from twopart._checks import InputError
from twopart.fits import batch_scaling, critical_batch_size, noise_scale, steps_to_target
from twopart.laws.regression import published_batches

BATCH = np.array([4, 16, 64, 256, 1024])


@pytest.mark.parametrize(("overhead", "reference"), [(0.2, 16), (0.5, 0), (1.0, 0), (0.2, None)])
def test_exact_steps_give_their_constants_back(overhead, reference):
    found = critical_batch_size(BATCH, 100 + 30_000 / BATCH, overhead=overhead, reference=reference)
    B0 = 4 if reference is None else reference
    expected = overhead * 300 + (1 + overhead) * B0
    assert (found.a, found.c, found.alpha) == pytest.approx((100, 30_000, 1), rel=1e-9)
    assert found.value == pytest.approx(expected, rel=1e-9)
    assert found.interval() == pytest.approx((expected, expected), rel=1e-6)
    assert found.efficiency(expected) == pytest.approx(1 / (1 + overhead))
    assert found.steps(BATCH) == pytest.approx(100 + 30_000 / BATCH)
    assert not found.notes


def test_other_powers_are_fitted_and_solved():
    found = critical_batch_size(BATCH, 7 + 3000 / BATCH**0.8, reference=16, form="power")
    assert (found.a, found.c, found.alpha) == pytest.approx((7, 3000, 0.8), rel=1e-6)
    B = found.value
    spent = B * (7 + 3000 / B**0.8)
    assert spent == pytest.approx(1.2 * 16 * (7 + 3000 / 16**0.8))
    assert found.efficiency(np.array([16, B])) == pytest.approx([1, 1 / 1.2])


def test_the_published_table_to_all_printed_digits():
    table, critical = published_batches(), []
    for (_, printed), rows in table.group_by("model", "critical", maintain_order=True):
        critical.append(critical_batch_size(rows["batch"], rows["steps"], reference=256).value)
        assert f"{critical[-1]:.1f}" == str(printed)
    laws = batch_scaling(None, table["params"].unique(maintain_order=True), critical)
    assert f"{laws.model.value:.4f}" == "0.4683"
    assert f"{laws.constant:.2f}" == "93.20"
    assert laws.predict(model=302) == pytest.approx(93.2 * 302**0.4683, rel=1e-3)
    first = table.filter(model="85M")
    kaplan = critical_batch_size(first["batch"], first["steps"], reference=0, overhead=1)
    assert kaplan.value == pytest.approx(2191, abs=1)


def test_the_interval_covers(size):
    """Noise of 3 % on nine batch sizes, 95 % intervals over tables: of 80 fewer than 0.75 come once in a million at 0.93."""
    random, inside, count = np.random.default_rng(0), 0, size(80, 1000)
    B = 2.0 ** np.arange(4, 13)
    for _ in range(count):
        fit = critical_batch_size(B, (100 + 30_000 / B) * np.exp(0.03 * random.standard_normal(9)), resamples=200)
        inside += fit.interval()[0] <= 0.2 * 300 + 1.2 * 16 <= fit.interval()[1]
    assert size(0.75, 0.85) * count < inside


def test_notes_say_what_to_doubt():
    linear = critical_batch_size(BATCH, 3000 / BATCH)
    assert linear.value == np.inf
    assert linear.a == 0
    assert "lies beyond" in linear.notes[0]
    beyond = critical_batch_size(BATCH, 1 + 30_000 / BATCH)
    assert "extrapolation" in beyond.notes[0]
    assert any(
        "20%" in note or "off the fit" in note for note in critical_batch_size(BATCH, [9e3, 2e3, 900, 100, 110]).notes
    )


def test_first_arrivals():
    step, loss = np.array([1, 2, 4, 8, 16]), np.array([8.0, 4.0, 2.0, 3.0, 1.0])
    assert steps_to_target(step, loss, 4.0) == 2
    assert steps_to_target(step, loss, 2.0) == 4  # though it rises again
    assert steps_to_target(step, loss, np.sqrt(8)) == pytest.approx(np.sqrt(8))  # straight in logarithms
    assert steps_to_target(step, loss, 9.0) == 1
    assert np.isnan(steps_to_target(step, loss, 0.5))
    means = [8, 6, 3, 2.5, 2]
    assert steps_to_target(step, loss, 2.7, smooth=2) == steps_to_target(step, means, 2.7)


def test_exponents_against_scipy_and_told_apart():
    random = np.random.default_rng(1)
    D, N = np.exp(random.uniform(5, 9, 12)), np.exp(random.uniform(3, 7, 12))
    laws = batch_scaling(D, N, 3 * D**0.5 * N**0.1)
    assert (laws.constant, laws.data.value, laws.model.value) == pytest.approx((3, 0.5, 0.1))
    noisy = D**0.5 * np.exp(0.1 * random.standard_normal(12))
    peer, ours = linregress(np.log(D), np.log(noisy)), batch_scaling(D, None, noisy).data
    assert ours.value == pytest.approx(peer.slope)
    assert ours.interval[1] - ours.value == pytest.approx(2.2281 * peer.stderr, rel=1e-4)  # Student, 10 degrees
    assert batch_scaling([1, 2], None, [1, 2]).data.interval == (-np.inf, np.inf)
    with pytest.raises(InputError, match="vary apart"):
        batch_scaling(D, D**2, noisy)
    with pytest.raises(InputError, match="vary apart"):
        batch_scaling(D[:2], N[:2], noisy[:2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_noise_scale_of_planted_gradients(size, dtype):
    """G of length 1, tr Σ = 50: single gradients, and the squared lengths of means of 4 and 32; within 5 standard errors."""
    random, n, p = torch.Generator().manual_seed(0), size(4000, 40_000), 25
    gradients = torch.randn(n, p, generator=random, dtype=dtype) * 2**0.5
    gradients[:, 0] += 1
    found = noise_scale(gradients)
    error = (found.interval[1] - found.interval[0]) / 3.92
    assert error < 0.1 * 50
    assert abs(found.value - 50) < 5 * error
    small, large = (gradients.view(-1, b, p).mean(1).square().sum(1) for b in (4, 32))
    paired = noise_scale(small.view(len(large), -1).mean(1), large, (4, 32))
    assert paired.value == pytest.approx(found.value, rel=0.1)
    assert noise_scale(gradients.view(-1, 4, p).mean(1), batches=(4,)).value == pytest.approx(found.value, rel=0.2)
    assert np.isnan(noise_scale(gradients - gradients.mean(0)).value)


def test_the_page_runs(capsys):
    page = (Path(__file__).parents[2] / "docs/laws/critical-batch-size.md").read_text()
    exec(re.search(r"```python\n(.*?)```", page, re.S)[1], {})
    fitted, law = capsys.readouterr().out.splitlines()
    assert float(fitted.split()[0]) == pytest.approx(critical_batch_size(
        [64, 128, 256, 512, 1024, 2048], [46000, 23000, 13282, 7000, 3840, 2528], reference=256).value)  # fmt: skip
    assert 4 < float(law) < 4096


REFUSED = [
    (lambda: critical_batch_size(BATCH, [1, 2]), "`steps` must be of shape"),
    (lambda: critical_batch_size([1, 2, 2], [3, 2, 2]), "at least 3 different sizes"),
    (lambda: critical_batch_size([1, 2, 4], [3, 2, 1], form="power"), "at least 4 different sizes"),
    (lambda: critical_batch_size(BATCH, [1, 2, np.nan, 1, 1]), r"`steps` must be in \(0, inf\)"),
    (lambda: critical_batch_size(-BATCH, BATCH), r"`batch` must be in \(0, inf\)"),
    (lambda: critical_batch_size(BATCH, BATCH, form="cubic"), "`form`"),
    (lambda: critical_batch_size(BATCH, BATCH, overhead=0), "`overhead`"),
    (lambda: critical_batch_size(BATCH, BATCH, reference=-1), "`reference`"),
    (lambda: critical_batch_size(BATCH, BATCH, resamples=0), "`resamples`"),
    (lambda: critical_batch_size(BATCH, BATCH).interval(1.0), "`level`"),
    (lambda: critical_batch_size(BATCH, BATCH).steps(0), "`batch`"),
    (lambda: critical_batch_size([["1"]], [1]), r"`batch` must be in \(0, inf\)"),
    (lambda: steps_to_target([1, 2], [1, 2, 3], 1), "`loss`"),
    (lambda: steps_to_target([2, 1], [1, 2], 1), "`step` must be rising"),
    (lambda: steps_to_target([1, 2], [1, np.inf], 1), "`loss`"),
    (lambda: steps_to_target([1, 2], [2, 1], 0), "`target`"),
    (lambda: steps_to_target([1, 2], [2, 1], 1, smooth=3), "`smooth`"),
    (lambda: batch_scaling(None, None, [1, 2]), "vary apart"),
    (lambda: batch_scaling([1, 2, 3], None, [1, 2]), "`data`"),
    (lambda: batch_scaling([1, 2], None, [1, 2], level=0), "`level`"),
    (lambda: batch_scaling([1, 2], None, [1, 2]).predict(data=0), "`data`"),
    (lambda: noise_scale(np.ones((2, 3))), "one alone tells no noise"),
    (lambda: noise_scale([1.0, 2.0], [1.0, 2.0], (4, 4)), "two rising sizes"),
    (lambda: noise_scale([1.0], [1.0], (1, 4)), "two or more"),
    (lambda: noise_scale([1.0, np.nan], [1.0, 1.0], (1, 4)), "`small`"),
    (lambda: noise_scale(np.ones((8, 2)), batches=(0,)), "`batches`"),
    (lambda: noise_scale(np.ones((8, 2)), blocks=1), "`blocks`"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED)
def test_refusals(call, words):
    with pytest.raises(InputError, match=words):
        call()
