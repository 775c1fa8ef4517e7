"""The law of feature averaging against independent computations: quadratic programs, differential equations, simulation.

`least_perturbation` knows nothing of the law. It goes through every pattern of active neurons and every way to be wrong; each
is a quadratic program with linear constraints. Points are given by their coefficients along the centres, in units in which a
centre has length √D; directions beside the centres do not matter to the networks here.
"""

from itertools import product

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize
from scipy.stats import norm

from twopart._checks import InputError
from twopart.laws.features import feature_averaging as law
from twopart.worlds.features import OrthogonalClusters

D = 100.0
SIGMAS = 5.0  # a false alarm in two million


def least_perturbation(weights, positive, start, merge):
    """The smallest move from `start` to where the class that is not the start's scores as much: outputs ReLU(weights @ x)."""
    own = [i for i in range(len(weights)) if positive[i]]
    other = [i for i in range(len(weights)) if not positive[i]]
    best = np.inf
    for pattern in product([0.0, 1.0], repeat=len(weights)):
        on = np.array(pattern)
        active = on[:, None] * weights
        sides = [(2 * on[i] - 1) * weights[i] for i in range(len(weights))]  # >= 0: the pattern is this one
        if merge == "sum":
            ways = [[active[other].sum(0) - active[own].sum(0)]]
        else:
            ways = [[active[j] - active[i] for i in own] for j in other]
        for way in ways:
            best = min(best, _nearest(np.array(sides + way), start))
    return best


def _nearest(rows, start):
    """Distance from `start` to the cone rows @ x >= 0."""
    cone = {"type": "ineq", "fun": lambda x: rows @ x, "jac": lambda x: rows}
    found = minimize(lambda x: (x - start) @ (x - start), start, jac=lambda x: 2 * (x - start), constraints=cone)
    feasible = found.success and np.all(rows @ found.x >= -1e-6)
    return float(np.sqrt(found.fun)) if feasible else np.inf


def averaged_network(k, positive, share):
    """Two neurons: the sum of their own centres less a share of the others."""
    own = np.arange(k) >= k - positive
    return np.stack([np.where(own, 1.0, -share), np.where(own, -share, 1.0)]), [True, False], np.sqrt(D) * np.eye(k)[-1]


def decoupled_network(k, share):
    return np.eye(k) - share * (1 - np.eye(k)), list(np.arange(k) >= k // 2), np.sqrt(D) * np.eye(k)[-1]


@pytest.mark.parametrize(("k", "positive"), [(2, 1), (4, 2), (6, 3), (5, 2), (6, 1)])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_the_averaged_networks_least_perturbation(k, positive, share):
    """√(D/k), whatever the share and however the clusters are divided."""
    world = OrthogonalClusters(k, int(D), positive=positive)
    found = least_perturbation(*averaged_network(k, positive, share), "max")
    assert found == pytest.approx(law.averaged_radius(world), rel=1e-4)


@pytest.mark.parametrize("k", [2, 4, 6])
def test_the_averaged_radius_is_the_margin_of_the_best_linear_classifier(k):
    signs = np.where(np.arange(k) >= k // 2, 1.0, -1.0)
    centres = np.sqrt(D) * np.eye(k)
    margin = {"type": "ineq", "fun": lambda w: signs * (centres @ w[:-1] + w[-1]) - 1}
    best = minimize(lambda w: w[:-1] @ w[:-1], np.r_[signs, 0.0], constraints=margin, options={"ftol": 1e-12})
    world = OrthogonalClusters(k, int(D))
    assert 1 / np.sqrt(best.fun) == pytest.approx(law.averaged_radius(world), rel=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("k", [2, 4])
def test_the_decoupled_networks_least_perturbation(k, share):
    found = least_perturbation(*decoupled_network(k, share), "max")
    assert found == pytest.approx(law.decoupled_radius(OrthogonalClusters(k, int(D))), rel=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1])
@pytest.mark.parametrize("k", [2, 4, 6])
def test_the_least_perturbation_of_summed_outputs(k, share):
    found = least_perturbation(*decoupled_network(k, share), "sum")
    assert found == pytest.approx(law.summed_radius(OrthogonalClusters(k, int(D)), share), rel=1e-4)


def test_nobody_is_right_about_two_centres_beyond_the_decoupled_radius():
    world = OrthogonalClusters(4, 12, seed=3)
    gaps = [np.linalg.norm(a - b) for a, b in product(world.centres[:2], world.centres[2:])]
    assert law.decoupled_radius(world) == pytest.approx(min(gaps) / 2)


@pytest.mark.parametrize("outputs", [2, 5, 32])
def test_coefficients_solve_the_gradient_flow(outputs):
    times = np.array([0.0, 0.01, 0.5, 3.0, 40.0, 1000.0])
    flow = solve_ivp(
        lambda t, g: (outputs - 1) / (np.exp(g) + outputs - 1), (0, 1000), [0.0], t_eval=times, rtol=1e-9, atol=1e-12
    )
    assert law.coefficient(times, outputs) == pytest.approx(flow.y[0], rel=1e-6, abs=1e-9)
    assert law.coefficient(40.0, outputs) == pytest.approx(flow.y[0][4])


@pytest.mark.parametrize(("k", "outputs"), [(8, 2), (2, 2), (8, 8)])
def test_the_share_is_where_pushing_off_ends(k, outputs):
    """Step by step: points of another cluster, as many as a fine grid of noise, push a neuron off while it is on at them."""
    world = OrthogonalClusters(k, 256)
    noise = norm.ppf((np.arange(10_000) + 0.5) / 10_000) * np.sqrt(k / outputs / 256)
    step, own, other = 2e-3, 0.0, 0.0
    for _ in range(5000):
        pushed = np.mean(own * noise > other) / (outputs - 1)
        own, other = own + step, other + step * pushed
    assert other / own == pytest.approx(law.share(world, outputs), rel=0.01)


def test_the_averaged_networks_accuracy_under_the_theorys_perturbation():
    """Simulated in coefficients: the network with a share, attacked along the difference of the classes' centres."""
    world, n, share = OrthogonalClusters(8, 100), 400_000, 0.12
    noise = np.random.default_rng(1).standard_normal((n, 8))
    x = np.sqrt(D) * np.eye(8)[-1] + noise
    weights, _, _ = averaged_network(8, 4, share)
    along = (weights[0] - weights[1]) / np.linalg.norm(weights[0] - weights[1])
    for radius in (0.0, 2.0, 3.0, law.averaged_radius(world), 4.5, 6.0):
        scores = np.maximum((x - radius * along) @ weights.T, 0)
        right = np.mean(scores[:, 0] > scores[:, 1])
        expected = law.averaged_accuracy(radius, world)
        assert right == pytest.approx(expected, abs=SIGMAS * np.sqrt(expected * (1 - expected) / n) + 1e-4)


@pytest.mark.parametrize(("k", "positive"), [(2, 1), (6, 3), (5, 1)])
def test_the_nearest_centres_accuracy(k, positive):
    """Simulated: the distance to where centre j is as near as every own one, the lowest level to which both can be brought."""
    world, n = OrthogonalClusters(k, 100, positive=positive), 20_000
    random = np.random.default_rng(2)
    cluster = random.integers(k, size=n)
    x = np.sqrt(D) * np.eye(k)[cluster] + random.standard_normal((n, k))
    levels = np.linspace(-2, 14, 321)
    least = np.full(n, np.inf)
    for i in range(k):
        at = x[cluster == i]
        own = world.is_positive == world.is_positive[i]
        for j in np.flatnonzero(~own):
            lift = np.maximum(levels - at[:, j, None], 0) ** 2
            lower = sum(np.maximum(at[:, o, None] - levels, 0) ** 2 for o in np.flatnonzero(own))
            least[cluster == i] = np.minimum(least[cluster == i], np.sqrt((lift + lower).min(1)))
    radii = np.array([3.0, 5.0, law.decoupled_median(world), 7.5, 9.0])
    found = (least > radii[:, None]).mean(1)
    expected = law.decoupled_accuracy(radii, world)
    assert found == pytest.approx(expected, abs=SIGMAS * 0.5 / np.sqrt(n) + 1e-3)
    assert law.decoupled_accuracy(law.decoupled_median(world), world) == pytest.approx(0.5)


def test_no_accuracy_lies_above_the_bound():
    radii = np.linspace(0, 30, 50)
    for k in (2, 4, 16):
        world = OrthogonalClusters(k, 400)
        bound = law.accuracy_bound(radii, world)
        assert np.all(law.decoupled_accuracy(radii, world) <= bound + 1e-9)
        assert np.all(law.averaged_accuracy(radii, world) <= bound + 1e-9)
    two = OrthogonalClusters(2, 400)
    assert law.decoupled_accuracy(radii, two) == pytest.approx(law.accuracy_bound(radii, two), abs=1e-9)


def test_without_noise_everything_is_a_step():
    world = OrthogonalClusters(8, 200, noise=0.0)
    assert law.averaged_accuracy([4.9, 5.1], world).tolist() == [1.0, 0.0]
    assert law.decoupled_accuracy([9.9, 10.1], world).tolist() == [1.0, 0.0]
    assert law.share(world) == 0.0


def test_the_gain_is_the_root_of_half_the_clusters():
    for k in (2, 8, 50):
        world = OrthogonalClusters(k, 100)
        assert law.decoupled_radius(world) / law.averaged_radius(world) == pytest.approx(np.sqrt(k / 2))


def test_bad_arguments():
    world = OrthogonalClusters(5, 50, positive=2)
    with pytest.raises(InputError, match="`world` must be of equally many clusters"):
        law.accuracy_bound(1.0, world)
    with pytest.raises(InputError, match="`time` must be"):
        law.coefficient([-1.0])
    with pytest.raises(InputError, match="`outputs` must be"):
        law.coefficient(1.0, outputs=1)
    with pytest.raises(InputError, match="`share` must be"):
        law.summed_radius(world, 0.9)
    with pytest.raises(InputError, match="`samples` must be"):
        law.memorised(world, 0)
