"""Random features under shift: kernels against quadrature, risks against simulation, the law of width on Gaussian features."""

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge

from twopart._checks import InputError
from twopart.laws.regression import WidthLaw, arc_cosine, exact_risk, width_law
from twopart.learners.regression import MinNorm, feature_weights, random_features
from twopart.worlds.regression import benign_shift

SIGMAS = 5.0


def relu(z):
    return np.maximum(z, 0)


def test_the_kernel_by_quadrature():
    """E relu(a) relu(b) for random covariances of (a, b), by angle: the radius integrates to a factor 2."""
    random = np.random.default_rng(0)
    x, z = random.standard_normal((2, 6, 4))
    angle = (np.arange(200_000) + 0.5) * 2 * np.pi / 200_000
    circle = np.stack([np.cos(angle), np.sin(angle)])
    found = arc_cosine(x, z)
    for a, b, value in zip(x, z, np.diagonal(found), strict=True):
        root = np.linalg.cholesky(np.array([[a @ a, a @ b], [a @ b, b @ b]]))
        assert value == pytest.approx(2 * np.prod(relu(root @ circle), axis=0).mean(), rel=1e-8)
    assert np.diagonal(arc_cosine(x)) == pytest.approx(np.square(x).sum(1) / 2)
    assert arc_cosine([[0.0, 0.0], [1.0, 0.0]], [[-1.0, 0.0]]).tolist() == [[0.0], [0.0]]
    assert arc_cosine(x.astype(np.float32)) == pytest.approx(arc_cosine(x), rel=1e-5)


@pytest.fixture(scope="module")
def fits():
    """Three fits on one sample: two single models, and the ensemble of both, over the weights of all."""
    world = benign_shift(40, head=4, tail=0.1, added=0.3, added_head=0.2, seed=3)
    x, _ = world.sample(12, "source")
    weights = feature_weights(60, 40, seed=1)
    features, maps = random_features(x, weights), np.zeros((3, 60, 12))
    for k, part in enumerate((slice(30), slice(30, None))):
        maps[k, part] = MinNorm.fit(features[:, part], np.eye(len(features))).weights
    maps[2] = (maps[0] + maps[1]) / 2
    return world, x, weights, maps


@pytest.mark.parametrize("labels", ["source", "shifted", "clean"])
def test_exact_risk_against_test_points_and_label_draws(fits, labels, size):
    """Three covariances: no shift; a shift in head and tail with the answers of what is seen; with those of what was."""
    world, x, weights, maps = fits
    w, source = np.asarray(world.truth), np.asarray(world.source)
    random, T = np.random.default_rng(5), size(20_000, 200_000)
    clean = random.standard_normal((T, 40)) * np.sqrt(source)
    shift = random.standard_normal((T, 40)) * np.sqrt(np.asarray(world.target) - source)
    seen = clean if labels == "source" else clean + shift
    risk = exact_risk(
        weights,
        maps,
        x,
        w,
        covariance=world.source if labels == "source" else world.target,
        labelled=world.source if labels == "clean" else None,
    )
    answers, truth = random_features(seen, weights) @ maps, (seen if labels == "shifted" else clean) @ w
    for found, samples in ((risk.bias, (answers @ (x @ w) - truth) ** 2), (risk.variance, np.square(answers).sum(-1))):
        error = samples.std(1) / np.sqrt(T)
        assert (np.abs(samples.mean(1) - found) < SIGMAS * error).all()
        assert (SIGMAS * error < 0.055 * found).all()
    noise = random.standard_normal((400, 12))
    heard = np.square(answers[2, :2000] @ noise.T).mean(0)
    assert abs(heard.mean() - np.square(answers[2, :2000]).sum(1).mean()) < SIGMAS * heard.std() / np.sqrt(400)


def test_exact_risk_takes_matrices_and_single_maps(fits):
    world, x, weights, maps = fits
    by_variance = exact_risk(weights, maps, x, world.truth, covariance=world.target)
    by_matrix = exact_risk(
        weights, maps[2], x, world.truth, covariance=np.diag(world.target), labelled=np.diag(world.target)
    )
    assert by_matrix.bias == pytest.approx(by_variance.bias[2])
    assert by_matrix.variance == pytest.approx(by_variance.variance[2])


KERNELS = {"arc cosine": "relu", "RBF": RBF(3.0)}


@pytest.mark.parametrize(("kernel", "ensemble"), [("relu", 1), (KERNELS["RBF"], 2)])
def test_the_law_is_exact_for_gaussian_features(kernel, ensemble, size):
    """Features of training and test inputs drawn jointly from N(0, κ), for two kernels: cost and variance to sampling error."""
    n, t, m, R = 6, 8, 24, size(9000, 90_000)
    random = np.random.default_rng(1)
    x, z = random.standard_normal((n, 6)), 1.5 * random.standard_normal((t, 6))
    y, both = np.sin(x[:, 0]) + 0.3, np.concatenate([x, z])
    law = width_law(x, z, y, kernel=kernel)
    root = np.linalg.cholesky(arc_cosine(both) if kernel == "relu" else kernel(both))
    features = root @ random.standard_normal((R, ensemble, n + t, m))
    train, test = features[:, :, :n], features[:, :, n:]
    answers = np.swapaxes(test @ np.swapaxes(train, -1, -2) @ np.linalg.inv(train @ np.swapaxes(train, -1, -2)), -1, -2)
    maps = answers.mean(1)  # (R, n, t)
    variance = np.square(maps).sum(1).mean(-1)
    cost = ((np.swapaxes(maps, -1, -2) @ y - law.answers) ** 2).mean(-1)
    for samples, found in ((variance, law.variance(m, ensemble)), (cost, law.cost(m, ensemble))):
        assert abs(samples.mean() - found) < SIGMAS * samples.std() / np.sqrt(R)
        assert SIGMAS * samples.std() / np.sqrt(R) < 0.05 * found


def test_the_limit_is_kernel_regression_and_the_widest_model(size):
    world, m = benign_shift(20, head=3, tail=0.3, added=0.4, seed=2), size(10_000, 100_000)
    x, y = world.sample(6, "source")
    z, _ = world.sample(40, "target")
    law = width_law(x, z, y)
    ridge = KernelRidge(alpha=1e-12, kernel="precomputed").fit(arc_cosine(x), np.eye(6))
    assert law.answers == pytest.approx(ridge.predict(arc_cosine(z, x)) @ y, rel=1e-8)
    assert law.response == pytest.approx(np.square(ridge.predict(arc_cosine(z, x))).sum(1), rel=1e-8)
    weights = feature_weights(m, 20, seed=0)
    wide = random_features(z, weights) @ MinNorm.fit(random_features(x, weights), np.eye(len(x))).weights
    assert np.square(wide).sum(1).mean() == pytest.approx(law.variance(m), rel=0.02)


def test_leaving_out_one_by_one():
    random = np.random.default_rng(4)
    x, y = random.standard_normal((7, 3)), random.standard_normal(7)
    found = WidthLaw.left_out(arc_cosine(x), y)
    for i in range(7):
        rest = np.arange(7) != i
        one = width_law(x[rest], x[[i]], y[rest])
        for name in ("doubt", "response", "answers"):
            assert getattr(found, name)[i] == pytest.approx(getattr(one, name)[0], rel=1e-9)
        assert (found.trace[i], found.energy[i]) == pytest.approx((one.trace, one.energy), rel=1e-9)
        assert found.points == one.points == 6


def test_widths():
    x = np.random.default_rng(0).standard_normal((5, 4))
    law = width_law(x, x + 0.5, np.ones(5))
    assert law.variance([8, 20, np.inf]).shape == (3,)
    assert law.narrowness([7, 8], 2).tolist() == [0.5, 0.25]
    m = law.width_for(0.1, 2)
    limit = law.variance(np.inf)
    assert law.variance(m, 2) <= 1.1 * limit < law.variance(m - 1, 2)
    assert law.cost(np.inf) == 0.0
    assert np.isnan(width_law(x, x).cost(9))
    assert law.doubt @ np.ones(5) > 0
    single = width_law(x[:1], x[1:3], [2.0])
    assert single.variance(3) > single.variance(4)
    for bad in (6, 5.5, [9, 6], np.nan, []):
        with pytest.raises(InputError, match="`width` must be above n"):
            law.variance(bad)


def test_batches_and_types_agree():
    x = np.random.default_rng(0).standard_normal((5, 4))
    z = np.random.default_rng(1).standard_normal((600, 4))
    for kernel in KERNELS.values():
        law = width_law(x, z, kernel=kernel)
        single = width_law(x.astype(np.float32), z.astype(np.float32)[:1], kernel=kernel)
        assert law.doubt[0] == pytest.approx(single.doubt[0], rel=1e-4)
        assert law.doubt[-1] == pytest.approx(width_law(x, z[-1:], kernel=kernel).doubt[0])


ONES, EYE = np.ones((4, 3)), np.eye(3)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: arc_cosine(np.ones(3)), "`x` must be of shape"),
        (lambda: arc_cosine(ONES, np.ones((2, 2))), "`others` must be of shape"),
        (lambda: arc_cosine(ONES * np.nan), "`x` must be finite"),
        (lambda: width_law(ONES, ONES), "`gram` must be of an inverse condition"),
        (lambda: width_law(EYE, ONES * np.inf), "`test_inputs` must be finite"),
        (lambda: width_law(EYE, np.ones((2, 2))), "`test_inputs` must be of shape"),
        (lambda: width_law(EYE, ONES, np.ones(2)), "`y` must be of shape"),
        (lambda: width_law(EYE, ONES, kernel="tanh"), '`kernel` must be "relu" or a function'),
        (lambda: width_law(EYE, ONES).variance(9, 0), "`ensemble` must be a whole number"),
        (lambda: width_law(EYE, ONES).width_for(0.0), "`share` must be a number in"),
        (lambda: WidthLaw.of_gram(ONES, ONES, np.ones(4)), "`gram` must be of shape"),
        (lambda: WidthLaw.of_gram(EYE + np.triu(EYE + 1, 1), ONES, np.ones(4)), "`gram` must be symmetric"),
        (lambda: WidthLaw.of_gram(EYE, ONES, np.ones(3)), "`own` must be of shape"),
        (lambda: WidthLaw.left_out([[1.0]]), "`gram` must be of at least 2"),
        (lambda: exact_risk(ONES, ONES, EYE, np.ones(3), covariance=-np.ones(3)), "`covariance` must be"),
        (lambda: exact_risk(ONES, ONES.T, EYE, np.ones(3), covariance=EYE), "`maps` must be of shape"),
        (lambda: exact_risk(ONES, ONES, EYE, np.ones(2), covariance=EYE), "`truth` must be of shape"),
        (lambda: exact_risk(ONES, ONES, EYE, np.ones(3), covariance=EYE, labelled=np.ones(2)), "`labelled` must be"),
    ],
)
def test_bad_arguments_are_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()
