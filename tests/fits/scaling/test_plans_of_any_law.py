"""Plans of random laws of all forms, near their runs and far from them, against plain formulas on dense grids."""

from dataclasses import dataclass

import numpy as np
import pytest

from tests.fits.scaling.test_forms import FORMULAS
from twopart._checks import InputError
from twopart.fits.scaling import FORMS, Law

SPLIT = [name for name, form in FORMS.items() if {"params", "tokens"} <= set(form.inputs)]
ALONE = [name for name in FORMS if name not in SPLIT]
BESIDE = np.linspace(-12, 12, 2401)  # of ln N, at one compute
NEAR, FAR = (1e17, 1e23), (1.0, 1e45)
HAIR = 1e-14  # of a loss: what rounding may move


@dataclass(frozen=True)
class Case:
    law: Law
    values: dict
    extras: dict

    def above(self, *inputs):
        """L - E by the plain formula; L for a form without E."""
        parameters = [0.0 if name == "E" else self.values[name] for name in self.law.form.parameters]
        return FORMULAS[self.law.form.name](*inputs, *self.extras.values(), *parameters)

    def ask(self, **goal):
        """flops, params, tokens and loss of the plan; nan for what the form does not know."""
        plan = self.law.allocate(**goal, **self.extras)
        found = (plan.flops, plan.params, plan.tokens, plan.loss)
        return np.array([np.nan if one is None else one.value for one in found])

    def compute(self, loss):
        """The least, infinite where there is none."""
        try:
            return self.ask(loss=loss)[0]
        except InputError:
            return np.inf


def case(name, random):
    """A law whose terms at 1e9 parameters and 1e10 tokens are between 1e-3 and 10; kaplan's are as they come."""
    values = {one: random.uniform(0.05, 1.5) for one in ("alpha", "beta", "gamma", "c0")}
    values |= {one: random.uniform(0.05, 0.5) for one in ("alpha_N", "alpha_D")}
    values |= {one: np.exp(random.uniform(20, 40)) for one in ("N_c", "D_c")}
    values |= {one: np.exp(random.uniform(-1, 5)) for one in ("R_N", "R_D")}
    values |= {"E": random.choice([0.0, 1e-6, 0.3, 1.7]), "d": random.uniform(0.2, 0.95)}
    values |= {"D_1": np.exp(random.uniform(18, 26)), "f": np.exp(random.uniform(-2, 1))}
    values["c1"] = random.uniform(-1.5, 1.5) * values["c0"]
    size, data = (1 / values["d"] - 1, 1 - values["d"]) if name == "knowledge" else (values["alpha"], values["beta"])
    data = values["c0"] if name == "broken" else data
    a, b = np.exp(random.uniform(np.log(1e-3), np.log(10), 2))
    values |= {"A": a * (6e19 ** values["gamma"] if name == "compute" else 1e9**size), "B": b * 1e10**data}
    if name == "precision":
        values["gamma"] = random.uniform(0.3, 6.0)
    form = FORMS[name]
    extras = {"unique_tokens": float(np.exp(random.uniform(16, 30))), "bits": float(random.choice([1, 4, 16]))}
    theta = form.coordinates(np.array([values[one] for one in form.parameters]))
    return Case(Law(form, theta, theta[None]), values, {one: v for one, v in extras.items() if one in form.inputs})


def cases(name, count, seed=7):
    random = np.random.default_rng(seed)
    return [(case(name, random), random) for _ in range(count)]


def flops(random, ends):
    return float(np.exp(random.uniform(*np.log(ends))))


@pytest.mark.parametrize("ends", [NEAR, FAR], ids=["near", "far"])
@pytest.mark.parametrize("name", SPLIT)
def test_a_split_is_the_best_of_its_compute(name, ends, size):
    """For every goal: neither a larger model nor more tokens would help more, and what was asked for is what is got."""
    for one, random in cases(name, size(30, 600)):
        budget = flops(random, ends)
        goals = {"flops": budget, "params": budget**0.45, "tokens": budget**0.5}
        goals["loss"] = float(one.ask(flops=budget)[3] * (1 + random.uniform(0.001, 1)))
        for goal, value in goals.items():
            C, N, D, L = one.ask(**{goal: value})
            assert {"flops": C, "params": N, "tokens": D, "loss": L}[goal] == value
            assert pytest.approx(C) == 6 * N * D
            assert pytest.approx(one.values["E"] * (name != "kaplan") + one.above(N, D), rel=1e-9) == L
            assert one.above(N, D) <= one.above(N * np.exp(BESIDE), D * np.exp(-BESIDE)).min() * (1 + 1e-9)


@pytest.mark.parametrize("ends", [NEAR, FAR], ids=["near", "far"])
@pytest.mark.parametrize("name", SPLIT)
def test_goals_lead_back_and_rise_together(name, ends, size):
    """The loss of a budget needs that budget, as closely as a loss can be written; more of one is more of all."""
    for one, random in cases(name, size(30, 600)):
        budgets = np.sort([flops(random, ends) for _ in range(6)])
        plans = np.array([one.ask(flops=float(budget)) for budget in budgets])
        for C, N, D, L in plans:
            assert one.compute(L * (1 + HAIR)) <= C * (1 + 1e-9)
            assert one.compute(L * (1 - HAIR)) >= C * (1 - 1e-9)
            for goal, value in (("params", N), ("tokens", D)):
                assert one.ask(**{goal: value})[:3] == pytest.approx([C, N, D], rel=1e-9)
        for goal, column in (("flops", 0), ("params", 1), ("tokens", 2)):
            found = np.log([one.ask(**{goal: float(value)}) for value in plans[:, column]])
            assert np.all(np.diff(found[:, :3], axis=0) > 0)
            assert np.all(np.diff(found[:, 3]) <= 1e-15)
        losses = np.sort(plans[0, 3] * np.array([1.001, 1.1, 2.0]))
        assert np.all(np.diff([one.ask(loss=float(loss))[0] for loss in losses]) < 0)


@pytest.mark.parametrize("ends", [NEAR, FAR], ids=["near", "far"])
@pytest.mark.parametrize("name", ALONE)
def test_one_input_is_the_least_that_reaches_a_loss(name, ends, size):
    for one, random in cases(name, size(30, 600)):
        (own,) = one.law.form.inputs
        value = flops(random, ends if own == "flops" else np.sqrt(ends))
        loss = one.ask(**{own: value})[3]
        assert loss == pytest.approx(one.values["E"] + one.above(value), rel=1e-9)
        goal = loss * (1 + random.uniform(0.001, 1))
        least = np.nansum(one.ask(loss=goal)[:3])
        assert one.values["E"] + one.above(least) == pytest.approx(goal, rel=1e-9)
        assert np.all(one.above(least * np.geomspace(1e-12, 1 - 1e-6, 1001)) > one.above(least))


def refused(one, loss):
    with pytest.raises(InputError) as error:
        one.ask(loss=float(loss))
    return str(error.value)


@pytest.mark.parametrize("name", [name for name in FORMS if name != "kaplan"])
def test_a_floor_is_named(name, size):
    for one, _ in cases(name, size(20, 200)):
        if one.values["E"]:
            assert f"above the floor of the law, {one.values['E']:.6g}, got" in refused(one, one.values["E"] * 0.99)


def test_the_distinct_tokens_that_a_loss_takes_are_named(size):
    """With as many the loss is reached, with fewer it is not: endless repeats have a floor of their own."""
    for one, _ in cases("repeated", size(30, 300)):
        U = one.extras["unique_tokens"]
        reuse = [np.log1p(one.values[name]) for name in ("R_N", "R_D")]
        fitting = (one.values["alpha"] * one.values["A"] / (one.values["beta"] * one.values["B"])) ** (
            1 / one.values["alpha"]
        ) * U ** (one.values["beta"] / one.values["alpha"])
        lasting = one.values["A"] * (fitting * np.exp(reuse[0])) ** -one.values["alpha"]
        lasting += one.values["B"] * (U * np.exp(reuse[1])) ** -one.values["beta"]
        assert one.ask(loss=float(one.values["E"] + lasting * 1.001))[0] > 0
        said = refused(one, one.values["E"] + lasting * 0.9)
        assert f"the floor of the law for {U:.4g} distinct tokens" in said
        needed = float(said.partition("more than ")[2].partition(" distinct")[0])
        assert needed > U
        assert (
            Case(one.law, one.values, {"unique_tokens": 1.01 * needed}).compute(one.values["E"] + lasting * 0.9)
            < np.inf
        )
        assert (
            Case(one.law, one.values, {"unique_tokens": 0.99 * needed}).compute(one.values["E"] + lasting * 0.9)
            == np.inf
        )


def test_a_law_that_rises_again_names_its_turn(size):
    turned = 0
    for one, _ in cases("broken", size(60, 300)):
        if one.values["c0"] + one.values["c1"] > -0.05 * one.values["c0"]:
            continue
        tokens = np.geomspace(1e3, 1e20, 200_001)
        losses = one.values["E"] + one.above(tokens)
        said = refused(one, one.values["E"] + 0.99 * one.above(tokens).min())
        assert f"at least {losses.min():.5g}"[:-1] in said
        turn = float(said.partition("beyond ")[2].partition(" tokens")[0])
        assert turn == pytest.approx(tokens[np.argmin(losses)], rel=0.05)
        turned += 1
    assert turned > 3


def test_a_loss_too_near_its_floor_says_what_it_takes():
    form = FORMS["data"]
    theta = form.coordinates(np.array([1.7, 10.0, 0.02]))
    one = Case(Law(form, theta, theta[None]), {}, {})
    assert "farther above the floor of the law, 1.7, got" in refused(one, 1.7 * (1 + 1e-14))
    assert "it takes 1e+7" in refused(one, 1.7 * (1 + 1e-14))
