"""Feedback without a truth: against autograd, enumeration of all votes, and runs of the scalar map."""

from itertools import product

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.laws.policies import certainty_flow, luck, peak, vote_moments
from twopart.learners.policies import Majority, Reinforce

START = np.repeat((0.8, 0.7, 0.6, 0.45, 0.4), (3, 4, 4, 5, 4))


@pytest.mark.parametrize("m", [2, 3, 4, 6])
def test_moments_by_enumeration_of_all_votes(m):
    """The step of φ is a mean over draws of advantage times 1 - a for the right answer, -a for the other."""
    a, steps, chances = 0.37, [], []
    for votes in product((0, 1), repeat=m):
        answer = np.array(votes)  # 0 is right
        worth = Reinforce(group=m).advantages(Majority()(answer[None]))[0]
        steps.append((worth * np.where(answer == 0, 1 - a, -a)).mean())
        chances.append(a ** (m - answer.sum()) * (1 - a) ** answer.sum())
    mean = np.dot(chances, steps)
    found = vote_moments([a, 0.5], m)
    assert (found[0][0], found[1][0]) == pytest.approx((mean, np.dot(chances, np.square(steps)) - mean**2), abs=1e-12)
    assert found[0][1] == pytest.approx(0, abs=1e-15)


def test_the_entropy_reward_is_ascent():
    φ = torch.linspace(-2, 2, 5).double().requires_grad_()
    a = φ.sigmoid()
    (a * a.log() + (1 - a) * (1 - a).log()).sum().backward()
    start, ε = a.detach().numpy(), 1e-5
    moved = (certainty_flow(start, [ε])[0] - start) / ε / (start * (1 - start))
    assert moved == pytest.approx(φ.grad.numpy(), abs=1e-4)


def test_accuracy_rises_and_falls():
    assert START.mean() == pytest.approx(0.5725)
    assert peak(START) == pytest.approx((4.42, 0.5974, 0.55), rel=1e-3)
    assert peak(START, 8) == pytest.approx((4.73, 0.5869, 0.55), rel=1e-3)
    for m in (None, 8):
        assert certainty_flow(START, [1.0, 2000.0], m)[1] == pytest.approx((START > 0.5) * 1.0, abs=2e-3)
    assert peak((0.7, 0.9)).time == 50, "with every majority right it only rises"
    assert peak((0.5,)).end == 0.5


def test_luck_against_runs(size):
    """The scalar map with binomial votes: within 0.015 and sampling error at lr 0.2 and 0.8."""
    rng, R = np.random.default_rng(0), size(4000, 40_000)
    for lr, m in ((0.2, 8), (0.8, 4), (0.8, 16)):
        φ = np.full(R, np.log(0.46 / 0.54))
        for _ in range(round(40 / lr)):
            c = rng.binomial(m, 1 / (1 + np.exp(-φ)))
            φ = φ + lr * np.sign(c - m / 2) * c * (m - c) / m**2
        found = float(luck(0.46, m, lr))
        assert (φ > 0).mean() == pytest.approx(found, abs=0.015 + 5 * np.sqrt(found * (1 - found) / R))
    known = [0.121, 0.101, 0.076, 0.279, 0.262, 0.237]
    assert [float(luck(0.46, m, lr)) for lr in (0.2, 0.8) for m in (4, 8, 16)] == pytest.approx(known, abs=6e-4)
    assert luck([0.4, 0.6], 8, 0.3).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: vote_moments(1.2, 4), "`rate` must be"),
        (lambda: vote_moments(0.5, 1), "`votes` must be"),
        (lambda: certainty_flow([0.0], [1.0]), "`start` must be"),
        (lambda: certainty_flow([[0.2]], [1.0]), "`start` must be of shape"),
        (lambda: certainty_flow([0.2], [-1.0]), "`times` must be"),
        (lambda: certainty_flow([0.2], [2.0, 2.0]), "`times` must be rising"),
        (lambda: certainty_flow([0.2], [2.0], 1), "`votes` must be"),
        (lambda: peak([np.nan]), "`start` must be"),
        (lambda: luck(0.4, 8, 0.0), "`lr` must be"),
        (lambda: luck(1.0, 8, 0.1), "`start` must be"),
        (lambda: luck(0.4, 1, 0.1), "`votes` must be"),
    ],
)
def test_refusals(call, said):
    with pytest.raises(InputError, match=f"^{said}.*, got .+; .+"):
        call()
