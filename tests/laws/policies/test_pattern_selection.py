"""Laws of pattern selection: against autograd, enumeration of all groups, quadrature in time, and values worked out before."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from twopart._checks import InputError
from twopart.laws.policies import (
    advantage_slope,
    escape,
    flow,
    recursion,
    stationary,
    two_pattern_time,
)
from twopart.laws.policies.pattern_selection import _Policy
from twopart.learners.policies import GRPO, group_advantages, train
from twopart.worlds.policies import Patterns

BASE, RATES = (0.02, 0.18, 0.3, 0.5), (0.9, 0.6, 0.4, 0.2)
SCHEMES = [
    {"scale": None},
    {"baseline": "leave_one_out", "scale": None},
    {"baseline": None, "scale": None},
    {},
    {"baseline": "leave_one_out"},
    {"ddof": 1, "epsilon": 1e-4},
]


def ascent(logits, answers, kl=0.0, base=BASE):
    """torch's gradient of Σ π σ(φ) - β KL(π | base)."""
    θ, φ = (torch.tensor(np.asarray(x, float), requires_grad=True) for x in (logits, answers))
    π = θ.softmax(-1)
    (π @ φ.sigmoid() - kl * (π * (π / torch.tensor(base).double()).log()).sum()).backward()
    return θ.grad.numpy(), φ.grad.numpy()


@pytest.mark.parametrize("kl", [0.0, 0.3])
def test_a_step_is_the_gradient(kl):
    φ = np.log(np.array(RATES) / (1 - np.array(RATES)))
    plain = {"baseline": None, "scale": None, "kl": kl, "skill": 0.5, "lr": 1e-6, "steps": 400_000 // 100_000}
    course = recursion(BASE, RATES, **plain)
    moved, learned = ascent(np.log(BASE), φ, kl)
    first = np.log(course.policy[1] / course.policy[0]) / 1e-6
    assert first == pytest.approx(moved - np.array(BASE) @ moved, abs=1e-5)
    p = course.success
    assert (np.log(p[1] / (1 - p[1])) - φ) / 1e-6 == pytest.approx(0.5 * learned, abs=1e-6)


def test_the_flow_against_torch_and_small_steps():
    times, skill = [1.0, 7.0], 0.7
    course = flow(BASE, RATES, times, kl=0.1, skill=skill)
    φ = np.log(np.array(RATES) / (1 - np.array(RATES)))

    def velocity(_, y):
        moved, learned = ascent(y[:4], y[4:], 0.1)
        return np.concatenate([moved, skill * learned])

    y = solve_ivp(velocity, (0, 7), [*np.log(BASE), *φ], "RK45", times, rtol=1e-8, atol=1e-10).y.T
    expected = torch.tensor(y[:, :4]).softmax(-1).numpy()
    assert course.policy == pytest.approx(expected, abs=1e-6)
    assert course.success == pytest.approx(1 / (1 + np.exp(-y[:, 4:])), abs=1e-6)
    many = flow([BASE, BASE[::-1]], [RATES, RATES[::-1]], times, kl=0.1, skill=skill)
    assert many.policy[:, 1, ::-1] == pytest.approx(course.policy, abs=1e-7)
    law = {"baseline": None, "scale": None, "kl": 0.1, "skill": skill}
    coarse, fine = (recursion(BASE, RATES, 7 / n, n, **law).policy[[n // 7, n]] for n in (35, 70))
    assert 2 * fine - coarse == pytest.approx(course.policy, abs=5e-5), "but for the first order in the step"


def test_values_worked_out_before():
    assert flow(BASE, RATES, [17.5, 52.5, 104.825]).policy == pytest.approx(
        np.array([[0.026, 0.510, 0.291, 0.174], [0.015, 0.883, 0.068, 0.033], [0.011, 0.949, 0.027, 0.013]]), abs=3e-3
    )
    assert recursion(BASE, RATES, 0.1, 150, group=4).policy[-1] == pytest.approx(
        [0.024, 0.635, 0.2265, 0.1145], abs=2e-3
    )
    assert two_pattern_time([0.5, 0.1, 0.01, 0.001], 0.95, 0.4) == pytest.approx(
        [31.05, 47.65, 166.3, 1297.1], rel=3e-4
    )
    assert float(advantage_slope(0.05, 4)) == pytest.approx(1.71, abs=5e-3)
    assert 1 / np.sqrt(0.05 * 0.95) == pytest.approx(float(advantage_slope(0.05, 4000)), rel=0.01)


def test_two_patterns_in_closed_form():
    for x0 in (0.001, 0.05, 0.3):
        law = float(two_pattern_time(x0, 0.5, 0.4))
        assert escape((x0, 1 - x0), (0.6, 0.2)).time == pytest.approx(law, rel=1e-8)
        assert float(flow((x0, 1 - x0), (0.6, 0.2), [law]).policy[0, 0]) == pytest.approx(0.5, abs=2e-6)
    assert float(two_pattern_time(1e-4, 0.5, 0.4)) == pytest.approx(1 / (2 * 0.4 * 1e-4), rel=0.003)


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_steps_by_enumeration_of_all_groups(scheme):
    """K = 2, G = 3: 64 outcomes of patterns and answers, the mean and the covariance of what they add to logits."""
    π, p, G, skill = np.array([0.3, 0.7]), np.array([0.8, 0.35]), 3, 0.6
    chance, moved = [], []
    for group in product(product((0, 1), (0, 1)), repeat=G):
        r, right = np.array(group).T
        chance.append(np.prod(π[r] * np.where(right, p[r], 1 - p[r])))
        worth, drawn = group_advantages(right.astype(float), **{"scale": "group", **scheme}), np.eye(2)[r]
        moved.append(np.array([*worth @ (drawn - π), *worth @ (skill * (right - p[r])[:, None] * drawn)]) / G)
    mean, rate = chance @ np.array(moved), π @ p
    slope = advantage_slope(rate, G, **scheme)
    assert mean == pytest.approx(slope * np.array([*π * (p - rate), *skill * π * p * (1 - p)]), abs=1e-12)
    covariance = np.cov(np.transpose(moved), aweights=chance, ddof=0)
    for policy in (_Policy(π, p, skill=skill), _Policy(π, p)):  # the second has no logits of answers
        found, noise = policy.step(policy.course(policy.start), G, **scheme)
        n = len(policy.start)
        assert found == pytest.approx(mean[:n], abs=1e-12)
        assert noise == pytest.approx(covariance[:n, :n], abs=1e-12)


@pytest.mark.parametrize(("base", "group", "lr", "skill"), [(BASE, 4, 0.2, 0.0), ((0.1, 0.2, 0.3, 0.4), 8, 0.1, 1.0)])
def test_the_mean_of_runs_noise_and_all(base, group, lr, skill, size):
    """The map of mean steps alone is up to 0.03 from the first of them."""
    runs, world = size(800, 10_000), Patterns(base, RATES)
    found = train(np.tile(np.log(world.masses), (runs, 1, 1)), world, GRPO(group), 80, lr, skill=skill)
    law = recursion(base, RATES, lr, 80, group=group, skill=skill)
    for values, expected in zip(found, law, strict=True):
        values = np.broadcast_to(values, found.policy.shape)[:, 0]
        assert np.all(np.abs(values.mean(0) - expected[-1]) <= 5 * values.std(0) / np.sqrt(runs) + 1e-12)


def test_slopes_by_another_sum_and_at_the_ends():
    """a_1 - a_0 with a_v the mean advantage of a draw with reward v."""
    from scipy.stats import binom

    for G, rate in product((4, 16), (0.05, 0.5)):
        m = np.arange(G)
        mean = {v: (v + m) / G for v in (0, 1)}
        with np.errstate(invalid="ignore"):
            worth = {v: np.nan_to_num((v - mean[v]) / np.sqrt(mean[v] * (1 - mean[v]))) for v in (0, 1)}
        expected = binom.pmf(m, G - 1, rate) @ (worth[1] - worth[0])
        assert float(advantage_slope(rate, G)) == pytest.approx(expected, rel=1e-10)
    assert advantage_slope([0.0, 1.0], 5) == pytest.approx([2.0, 2.0])
    assert advantage_slope(np.zeros((2, 3)), 5, scale=None).shape == (2, 3)


def test_rest_is_where_nothing_moves():
    for β in (0.2, 0.5):
        found = stationary([BASE, BASE[::-1]], [RATES, RATES], β)
        push = np.array(RATES) - β * np.log(found / [BASE, BASE[::-1]])
        assert push == pytest.approx(np.broadcast_to(push[:, :1], (2, 4)), abs=1e-9)
        assert found.sum(-1) == pytest.approx([1, 1])
    assert flow(BASE, RATES, [600.0], kl=0.5).policy[0] == pytest.approx(stationary(BASE, RATES, 0.5), abs=1e-7)


def test_the_trap_and_the_cliff():
    others = np.array(BASE[1:]) / 0.98
    waits = [escape((x, *others * (1 - x)), RATES).time for x in (0.02, 0.05, 0.1, 0.2)]
    assert waits == pytest.approx([472.2, 46.3, 19.0, 8.55], rel=2e-3)
    found = escape(BASE, RATES)
    masses = flow(BASE, RATES, np.linspace(0.1, 472, 2000)).policy[:, 0]
    assert found.lowest == pytest.approx(masses.min(), rel=1e-3)
    assert masses.max() > 0.026, "it rises before it falls"
    for x, trapped in ((0.025, True), (0.027, False)):
        assert (escape((x, *others * (1 - x)), RATES).lowest < x * (1 - 1e-6)) == trapped
    assert escape((0.6, 0.4), (0.9, 0.1)).time == 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: flow((0.5, 0.6), (0.1, 0.2), [1.0]), "`base` must be of sum 1"),
        (lambda: flow((np.nan, 0.6), (0.1, 0.2), [1.0]), r"`base` must be in \(0, 1\)"),
        (lambda: flow(BASE, (0.1, 0.2), [1.0]), r"`success` must be of shape \(4,\)"),
        (lambda: flow(BASE, (0.1, 0.2, 0.3, 1.2), [1.0]), r"`success` must be in \[0, 1\]"),
        (lambda: flow(BASE, (0.1, 0.2, 0.3, 1.0), [1.0], skill=1), r"`success` must be in \(0, 1\)"),
        (lambda: flow(BASE, RATES, [2.0, 1.0]), "`times` must be rising"),
        (lambda: flow(BASE, RATES, [1.0], kl=-1), "`kl` must be"),
        (lambda: recursion(BASE, RATES, 0.0, 5), "`lr` must be"),
        (lambda: recursion(BASE, RATES, 0.1, 0), "`steps` must be"),
        (lambda: advantage_slope(1.5, 4), "`rate` must be"),
        (lambda: advantage_slope(0.5, 1), "`group` must be"),
        (lambda: advantage_slope(0.5, 4, baseline="median"), "`baseline` must be"),
        (lambda: advantage_slope(0.5, 4, scale="batch"), "`scale` must be"),
        (lambda: advantage_slope(0.5, 4, ddof=2), "`ddof` must be"),
        (lambda: advantage_slope(0.5, 4, epsilon=-1), "`epsilon` must be"),
        (lambda: stationary(BASE, RATES, 0.0), "`kl` must be"),
        (lambda: two_pattern_time(0.5, 0.2, 0.4), "`end` must be"),
        (lambda: two_pattern_time(0.0, 0.2, 0.4), "`start` must be"),
        (lambda: two_pattern_time(0.1, 0.2, 0.0), "`gap` must be"),
        (lambda: escape([BASE, BASE], [RATES, RATES]), r"`base` must be of shape \(K,\)"),
    ],
)
def test_refusals(call, said):
    with pytest.raises(InputError, match=f"^{said}.*, got .+; .+"):
        call()


def test_the_page():
    page = (Path(__file__).parents[3] / "docs/laws/rl-pattern-selection.md").read_text()
    names: dict[str, object] = {}
    for block in page.split("```python\n")[1:]:
        exec(block.split("```")[0], names)
