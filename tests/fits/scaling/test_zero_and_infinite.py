"""Floors of zero, amplitudes beyond any floating-point number, draws without a plan: in logarithms, counted and said."""

import json

import numpy as np
import pytest
from scipy.optimize import brentq, least_squares
from scipy.stats import chi2

from tests.fits.scaling.planted import TRUTH, columns, losses
from tests.fits.scaling.published import greek
from twopart.fits.scaling import FORMS, Law, scaling_law
from twopart.fits.scaling.objective import OBJECTIVES

RUNS = greek()
FORM = FORMS["chinchilla"]


def squares(E):
    """Least sum of squares of ln loss with the floor held, by SciPy from several places."""

    def miss(p):
        return np.log(
            E + np.exp(p[0] - p[1] * np.log(RUNS["params"])) + np.exp(p[2] - p[3] * np.log(RUNS["tokens"])) - 0.0
        ) - np.log(RUNS["loss"])

    starts = ([3.8, 0.25, 6.9, 0.33], [8.0, 0.6, 9.0, 0.5], [2.0, 0.1, 12.0, 0.7])
    return min(2 * least_squares(miss, start, xtol=1e-12, ftol=1e-12).cost for start in starts)


def test_a_floor_of_zero_is_profiled_as_it_is():
    """12 ln(S(E)/S(0)), the likelihood ratio of normal noise, at SciPy's own sums: 0.01430, 0.01773 at 0.5, 0.0440 at 2."""
    found = scaling_law(**RUNS, objective="squares", resamples=0).profile("E")
    assert (squares(0.0), squares(0.5), squares(2.0)) == pytest.approx((0.01430, 0.01773, 0.0440), rel=0.002)
    at = [0.0, 0.5, 1.0, 2.0]
    theirs = [12 * np.log(squares(E) / squares(0.0)) for E in at]
    assert np.interp(at, found.values, found.statistic) == pytest.approx(theirs, rel=0.02, abs=1e-3)
    end = brentq(lambda E: 12 * np.log(squares(E) / squares(0.0)) - chi2.ppf(0.95, 1), 0.1, 2)
    assert found.interval == (0, pytest.approx(end, rel=0.02))
    assert 0.6 < end < 0.8


@pytest.mark.parametrize("resamples", [400, 0])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_draws_of_a_floor_of_zero_say_how_large_it_may_be(objective, resamples):
    fit = scaling_law(**RUNS, objective=objective, resamples=resamples)
    assert fit.E == 0
    low, high = fit.interval("E")
    assert low == 0
    assert high > 0.5
    if resamples:
        assert high == pytest.approx(fit.profile("E").interval[1], rel=0.35)
        assert np.mean(np.exp(fit.draws[:, 0]) < 1e-3) == pytest.approx(0.5, abs=0.13)
        far = fit.predict(1e9, 1e11, level=0.95)
        assert far.low < far.value < far.high
    assert fit.profile("E").interval[0] == 0
    assert any("E is at zero" in note and f"{high:.3g}" in note for note in fit.notes)


def test_a_profile_lets_a_floor_of_zero_rise():
    """Held away from its best, alpha is best with a floor: a profile that stayed at E = 0 would be too narrow."""
    fit = scaling_law(**RUNS, objective="squares", resamples=0)
    held = np.interp(0.35, *_sorted(fit.profile("alpha")))

    def miss(p):
        return np.log(
            np.exp(p[0]) + np.exp(p[1] - 0.35 * np.log(RUNS["params"])) + np.exp(p[2] - p[3] * np.log(RUNS["tokens"]))
        ) - np.log(RUNS["loss"])

    sums = [2 * least_squares(miss, [np.log(E), 5.0, 7.0, 0.4]).cost for E in (0.1, 0.5, 1.0)]
    assert held == pytest.approx(12 * np.log(min(sums) / squares(0.0)), rel=0.05)


def _sorted(profile):
    return profile.values, profile.statistic


def test_floors_well_above_zero_are_as_before():
    """A profile of E and of ln E are one where E is certain."""
    fit = scaling_law(loss=losses("chinchilla", columns(200), 1e-3), objective="squares", resamples=300, **_inputs(200))
    low, high = fit.profile("E").interval
    error = np.sqrt(fit.covariance[0, 0]) * fit.E
    assert (low, high) == pytest.approx((fit.E - 1.96 * error, fit.E + 1.96 * error), rel=0.01)
    assert fit.interval("E") == pytest.approx((low, high), rel=0.01)


def _inputs(n):
    return {name: columns(n)[name] for name in ("params", "tokens")}


def endless(**changed):
    """A law with draws of A = e^1000, of no floor, of exponents below 0."""
    point = FORM.coordinates(np.array(TRUTH["chinchilla"]))
    draws = np.repeat(point[None], 100, 0)
    draws[:10, 1], draws[:10, 3] = 1000.0, 40.0
    draws[10:20, 0] = -np.inf
    draws[20:26, 3] = -0.1
    return Law(FORM, point, draws, ranges={"flops": (1e18, 1e21)}, **changed)


def test_draws_beyond_numbers_are_kept_as_logarithms():
    law = endless()
    assert law.interval("A")[1] == np.inf
    assert law.interval("E")[0] == 0
    plan = law.allocate(flops=1e23)
    sizes = FORM.excess(law.draws.T, {}).at_compute(np.full(100, np.log(1e23 / 6)))[0]
    assert np.isnan(sizes).sum() == 6
    assert plan.reached == 0.94
    assert plan.params.interval == (0, np.inf)
    assert law.allocate(flops=1e23, level=0.5).params.interval == pytest.approx((plan.params.value,) * 2)


def test_a_law_in_a_file_reads_back_equal(tmp_path):
    for number, law in enumerate((endless(), scaling_law(**RUNS, resamples=300), scaling_law(**RUNS, resamples=0))):
        path = tmp_path / f"{number}.json"
        law.write(path)
        again = Law.read(path)
        assert again.to_json() == json.loads(path.read_text()) == json.loads(json.dumps(law.to_json(), allow_nan=False))
        assert np.array_equal(again.theta, law.theta)
        assert again.parameters == law.parameters
        assert np.array_equal(again.draws, law.draws[:: len(law.draws) // len(again.draws)])
        assert again.interval("E") == law.interval("E")
        assert again.allocate(flops=1e20).params.value == law.allocate(flops=1e20).params.value


def test_a_point_beyond_numbers_is_written_too(tmp_path):
    point = np.array([0.5, 800.0, 7.0, 2.9, 0.3])
    law = Law(FORM, point, point[None])
    law.write(tmp_path / "law.json")
    assert json.loads((tmp_path / "law.json").read_text())["parameters"]["A"] is None
    assert np.array_equal(Law.read(tmp_path / "law.json").theta, point)


@pytest.mark.parametrize("E", [0.0, 1.69])
def test_files_of_format_1_and_by_hand(E):
    """Draws in the formula's units, a floor of 0 among them; and parameters alone."""
    values = {"E": E, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    bare = {"format": "twopart scaling law 1", "form": "chinchilla", "parameters": values}
    size = Law.from_json(bare).allocate(flops=5.76e23).params
    assert size.value == pytest.approx(3.22e10, rel=1e-3)
    assert size.interval == (0, np.inf) or size.interval == (-np.inf, np.inf)
    old = Law.from_json({**bare, "draws": [list(values.values()), [0.0, 400.0, 400.0, 0.34, 0.28]] * 20})
    assert old.allocate(flops=5.76e23).loss.interval[1] == pytest.approx(E + 0.2407, abs=0.01)
    assert old.interval("E") == (0, pytest.approx(E))


def test_nothing_is_lost_where_a_form_has_no_floor():
    """Kaplan's law has none to be zero."""
    fit = scaling_law(loss=losses("kaplan", columns(60), 1e-3), form="kaplan", resamples=50, **_inputs(60))
    assert np.isfinite(fit.draws).all()
