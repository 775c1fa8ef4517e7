"""Plans against the closed form of the Chinchilla law and brute force; laws in files; frontiers of known laws."""

import json

import numpy as np
import pytest

from tests.fits.scaling.planted import TRUTH, chinchilla_design, columns, losses
from twopart._checks import InputError
from twopart.fits.scaling import FORMS, Law, envelope, isoflop, scaling_law, schema

INPUTS = chinchilla_design(120)
FIT = scaling_law(loss=losses("chinchilla", INPUTS, 0.003), resamples=200, **INPUTS)


def _closed(flops, E, A, B, a, b):
    size = (a * A / (b * B)) ** (1 / (a + b)) * (flops / 6) ** (b / (a + b))
    return size, flops / 6 / size


def test_a_plan_is_the_closed_form_for_every_draw():
    plan = FIT.allocate(flops=1e23)
    size, tokens = _closed(1e23, *FIT.parameters.values())
    assert (plan.params.value, plan.tokens.value) == pytest.approx((size, tokens), rel=1e-6)
    assert plan.loss.value == pytest.approx(float(FIT.predict(size, tokens)))
    sizes = [_closed(1e23, *row)[0] for row in FIT.form.natural(FIT.draws)]
    ends = np.quantile(sizes, [(1 - 0.95) / 2, (1 + 0.95) / 2], method="inverted_cdf")
    assert plan.params.interval == pytest.approx(tuple(ends), rel=1e-6)
    assert plan.extrapolation == pytest.approx(1e23 / (6 * np.max(INPUTS["params"] * INPUTS["tokens"])))
    assert plan.reached == 1


def test_the_four_questions_agree():
    plan = FIT.allocate(flops=1e23)
    for goal in ("params", "tokens", "loss"):
        same = FIT.allocate(**{goal: getattr(plan, goal).value})
        assert same.flops.value == pytest.approx(1e23, rel=1e-4)
        assert same.params.value == pytest.approx(plan.params.value, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "extras"),
    [("kaplan", {}), ("knowledge", {}), ("precision", {"bits": 4.0}), ("repeated", {"unique_tokens": 1e10})],
)
def test_plans_of_other_forms_are_the_best_of_a_fine_grid(name, extras):
    form = FORMS[name]
    theta = form.coordinates(np.array(TRUTH[name]))
    law = Law(form, theta, theta[None], ranges={"flops": (1e18, 1e21)})
    plan = law.allocate(flops=1e22, **extras)
    sizes = np.geomspace(1e6, 1e12, 6001)
    grid = law.predict(sizes, 1e22 / 6 / sizes, **extras)
    assert plan.loss.value <= grid.min() * (1 + 1e-9)
    assert plan.params.value == pytest.approx(sizes[np.argmin(grid)], rel=0.005)
    assert plan.params.value * plan.tokens.value * 6 == pytest.approx(1e22)


def test_one_input_has_one_answer():
    tokens = np.geomspace(1e8, 1e11, 30)
    fit = scaling_law(tokens=tokens, loss=losses("data", {"tokens": tokens}, 1e-3), form="data", resamples=50)
    plan = fit.allocate(loss=2.0)
    assert float(fit.predict(tokens=plan.tokens.value)) == pytest.approx(2.0)
    assert plan.params is None
    assert fit.allocate(tokens=1e12).loss.value == pytest.approx(float(fit.predict(tokens=1e12)))
    with pytest.raises(InputError, match="an input of"):
        fit.allocate(params=1e9)


def test_plans_that_cannot_be():
    for goal in ({}, {"flops": 1e20, "params": 1e9}):
        with pytest.raises(InputError, match="exactly one of"):
            FIT.allocate(**goal)
    with pytest.raises(InputError, match="above the floor of the law"):
        FIT.allocate(loss=1.0)
    with pytest.raises(InputError, match="a positive number"):
        FIT.allocate(flops=-1.0)
    near = FIT.allocate(loss=FIT.E + 0.02)
    assert near.flops.interval[1] > near.flops.value


def test_a_law_in_a_file(tmp_path):
    FIT.write(tmp_path / "law.json")
    law = Law.read(tmp_path / "law.json")
    assert law.parameters == pytest.approx(FIT.parameters, rel=1e-12)
    assert law.allocate(flops=1e23).params.interval == pytest.approx(FIT.allocate(flops=1e23).params.interval, rel=1e-6)
    assert law.to_json()["draws"] == FIT.to_json()["draws"]
    assert (law.unit, law.ranges) == (FIT.unit, FIT.ranges)


@pytest.mark.parametrize("name", FORMS)
def test_every_law_meets_the_schema(name):
    """The schema's own words, checked by hand: required keys, no others, and the listed choices."""
    inputs = columns(40)
    data = scaling_law(loss=losses(name, inputs, 0.002), form=name, resamples=0, **inputs).to_json()
    rules = schema()
    assert set(data) == set(rules["required"]) == set(rules["properties"])
    assert data["form"] in rules["properties"]["form"]["enum"]
    assert set(data["inputs"]) <= set(rules["properties"]["inputs"]["items"]["enum"])
    assert set(rules["properties"]["form"]["enum"]) == set(FORMS)
    again = Law.from_json(json.loads(json.dumps(data, allow_nan=False)))
    assert again.parameters == pytest.approx(data["parameters"])
    assert np.array(data["covariance"]).shape == (len(data["coordinates"]),) * 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "twopart scaling law 0"}', '{"format": 1, "form": "x"}'])
def test_files_that_hold_no_law(tmp_path, text):
    (tmp_path / "law.json").write_text(text)
    with pytest.raises(InputError):
        Law.read(tmp_path / "law.json")
    with pytest.raises(InputError, match=r"must be a law\.json"):
        Law.read(tmp_path / "none.json")


def _profiles(noise):
    flops = np.repeat([1e19, 1e20, 1e21, 1e22], 9)
    best = np.array([_closed(c, *TRUTH["chinchilla"])[0] for c in flops])
    params = best * np.tile(np.geomspace(0.4, 2.5, 9), 4)
    loss = losses("chinchilla", {"params": params, "tokens": flops / 6 / params}, noise)
    return params, loss, flops


def test_isoflop_profiles_find_the_exponent():
    """beta/(alpha + beta) = 0.5139; a parabola is not the profile's exact shape, which moves minima by a few percent."""
    frontier = isoflop(*_profiles(0.001), resamples=200)
    exponent = frontier.exponent()
    assert exponent.interval[0] <= 0.37 / 0.72 <= exponent.interval[1]
    assert exponent.value == pytest.approx(0.37 / 0.72, abs=0.02)
    size, tokens = frontier.allocate(1e23)
    assert size.value * tokens.value * 6 == pytest.approx(1e23)
    assert size.value == pytest.approx(_closed(1e23, *TRUTH["chinchilla"])[0], rel=0.15)
    assert len(frontier.flops) == 4


def test_isoflop_refusals():
    params, loss, flops = _profiles(0.0)
    beside = params > np.median(params[:9]) * 1.2
    beside[9:] = True
    with pytest.raises(InputError, match="must lie between the profile's sizes"):
        isoflop(params[beside], loss[beside], flops[beside])
    with pytest.raises(InputError, match="at least 2 budgets"):
        isoflop(params[:9], loss[:9], flops[:9])
    with pytest.raises(InputError, match="at least 3 sizes"):
        isoflop(params[[0, 1, *range(9, 18)]], loss[[0, 1, *range(9, 18)]], flops[[0, 1, *range(9, 18)]])


def test_envelope_finds_the_exponent():
    sizes = np.geomspace(1e8, 1e11, 25)
    tokens = np.geomspace(1e9, 1e12, 80)
    params, data = (grid.ravel() for grid in np.meshgrid(sizes, tokens, indexing="ij"))
    loss = losses("chinchilla", {"params": params, "tokens": data})
    run = np.repeat(np.arange(25), 80)
    frontier = envelope(run, params, loss, 6 * params * data, resamples=100)
    assert frontier.exponent().value == pytest.approx(0.37 / 0.72, abs=0.02)
    with pytest.raises(InputError, match="at least 3 curves"):
        envelope(run[:160], params[:160], loss[:160], (6 * params * data)[:160])
    with pytest.raises(InputError, match="one size per run"):
        envelope(run // 2, params, loss, 6 * params * data)
