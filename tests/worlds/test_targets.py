"""Targets against derivatives, quadrature, enumeration and their own samples, as they are and as a diffusion sees them."""

import numpy as np
import pytest
import torch
from scipy import integrate
from scipy.stats import multivariate_normal

from twopart._checks import InputError
from twopart.worlds import noised as noised_face
from twopart.worlds.landscapes import DoubleWell, MuellerBrown, Ring
from twopart.worlds.noise import DDPM, OU, PREDICTIONS, VE, Flow, convert, grid
from twopart.worlds.noised import BLOCK, Empirical, noised, oracle, posterior
from twopart.worlds.posteriors import (
    BayesianRegression,
    LogisticPosterior,
    breast_cancer,
    breast_cancer_reference,
)
from twopart.worlds.spectra import NAMES, spectrum
from twopart.worlds.targets import GaussianTarget, MixtureTarget, Product

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((40, 2))
MATRICES = [[[1.0, 0.5], [0.5, 0.8]], [[0.3, -0.1], [-0.1, 0.6]]]
TARGETS = {
    "field": GaussianTarget.circulant(spectrum("field", 6), torch.arange(6.0)),
    "mixture": MixtureTarget([0.8, 0.2], [[-3.0, 0.0], [3.0, 1.0]], scales=[1.0, 0.5]),
    "diagonal": MixtureTarget([1.0, 2.0], [[-1.0, 0.0], [1.0, 1.0]], scales=[[1.0, 0.5], [0.3, 0.7]]),
    "full": MixtureTarget([0.3, 0.7], [[-1.0, 0.0], [1.0, 2.0]], covariances=MATRICES),
    "well": DoubleWell(1.5, 2.0, 0.3),
    "product": Product(DoubleWell(), GaussianTarget([2.0])),
    "ring": Ring(2.0, 0.3),
    "mueller": MuellerBrown(0.1),
    "regression": BayesianRegression.drawn(50, 3, noise=0.5),
    "logistic": LogisticPosterior(X, X[:, 0] + 0.5 * X[:, 1] > 0.3),
}
TIMES = torch.tensor([1e-7, 0.003, 0.05, 0.4, 2.0])
each = pytest.mark.parametrize("name", TARGETS)


@each
@pytest.mark.parametrize("at", ["now", "later"])
def test_scores_are_the_gradients_of_log_densities(name, at):
    target, x = TARGETS[name], TARGETS[name].sample(5, seed=1).requires_grad_()
    law = target if at == "now" else noised(target, TIMES)
    (expected,) = torch.autograd.grad(law.log_density(x).sum(), x)
    assert torch.allclose(law.score(x), expected, rtol=1e-6, atol=1e-7)
    half = law.score(x.detach().float())
    assert half.dtype == torch.float32
    assert torch.allclose(half.double(), expected, rtol=1e-3, atol=2e-3 * float(expected.abs().max()))


@each
def test_samples_have_the_moments(name):
    target, n = TARGETS[name], 20_000
    for law in (target, noised(target, 0.3)):
        x = law.sample(n, seed=3)
        C = law.covariance.numpy()
        root = np.linalg.inv(np.linalg.cholesky(C))
        z = (x - law.mean).numpy() @ root.T
        fourth = (z**4).mean(0).max()
        assert np.abs(z.mean(0)).max() < 5.5 / np.sqrt(n)
        assert np.abs(z.T @ z / n - np.eye(law.dimension)).max() < 5.5 * np.sqrt(fourth / n)
    assert torch.equal(target.sample(3, seed=3, stream=1), target.sample(3, seed=3, stream=1))
    assert not torch.equal(target.sample(3, seed=3), target.sample(3, seed=3, stream=1))


@each
def test_no_time_leaves_the_target(name):
    target, x = TARGETS[name], TARGETS[name].sample(4)
    law = noised(target, 1e-12)
    assert torch.allclose(law.log_density(x), target.log_density(x), atol=1e-5)
    assert torch.allclose(law.score(x), target.score(x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["mixture", "full", "well"])
@pytest.mark.parametrize("t", [None, 0.001, 0.5])
def test_densities_integrate_to_one(name, t):
    target = TARGETS[name] if t is None else noised(TARGETS[name], t)
    reach = 9 * target.covariance.diagonal().sqrt().numpy()
    axes = [np.linspace(m - r, m + r, 300) for m, r in zip(target.mean.numpy(), reach, strict=True)]
    points = torch.from_numpy(np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, target.dimension))
    total = float(target.log_density(points).exp().sum())
    assert total * np.prod([a[1] - a[0] for a in axes]) == pytest.approx(1, abs=1e-6)


def test_normalisers():
    well = TARGETS["well"]
    tight = {"epsabs": 1e-10, "epsrel": 1e-9, "limit": 200}
    exact = integrate.quad(lambda u: np.exp(-float(well.potential(torch.tensor([u]).double()))), -8, 8, **tight)[0]
    assert well.log_normaliser == pytest.approx(np.log(exact), abs=1e-8)
    ring = TARGETS["ring"]
    exact = 2 * np.pi * integrate.quad(lambda r: r * np.exp(-((r - 2) ** 2) / 0.18), 0, 6, **tight)[0]
    assert ring.log_normaliser == pytest.approx(np.log(exact), abs=1e-7)
    full, x = TARGETS["full"], X[:5]
    normals = [multivariate_normal([-1, 0], MATRICES[0]), multivariate_normal([1, 2], MATRICES[1])]
    assert full.log_density(torch.from_numpy(x)).numpy() == pytest.approx(
        np.log(0.3 * normals[0].pdf(x) + 0.7 * normals[1].pdf(x))
    )
    assert max(t.normaliser_error for t in (well, ring, TARGETS["mueller"], TARGETS["logistic"])) < 1e-6
    lowest = torch.tensor([-0.558223634633, 1.441725841804]).double()  # Müller & Brown 1979: V = -146.6995
    assert float(MuellerBrown(1.0).potential(lowest)) == pytest.approx(-146.69951720995)


@pytest.mark.parametrize("name", ["mixture", "diagonal", "full"])
def test_hessians(name):
    target, x = TARGETS[name], torch.from_numpy(X[:4])
    expected = torch.stack([torch.autograd.functional.jacobian(target.score, one) for one in x])
    assert torch.allclose(target.hessian(x), expected, atol=1e-10)


def test_hessian_bounds_are_sharp():
    target = MixtureTarget([0.5, 0.5], [[-2.0, 0.0], [2.0, 0.0]], scales=0.8)
    x = torch.stack(torch.meshgrid(*[torch.linspace(-6, 6, 241).double()] * 2, indexing="ij"), -1).reshape(-1, 2)
    times = torch.tensor([0.0, 0.2, 1.0]).double()
    low, high = noised(target, times).hessian_bounds()
    for t, least, most in zip(times, low, high, strict=True):
        found = torch.linalg.eigvalsh(noised(target, t).hessian(x))
        assert float(found.max()) == pytest.approx(float(most), abs=1e-6)
        assert float(found.min()) == pytest.approx(float(least), abs=1e-6)
    with pytest.raises(InputError, match="`covariances` must be one for all"):
        TARGETS["mixture"].hessian_bounds()


@pytest.mark.parametrize("name", ["well", "mixture", "full", "ring"])
def test_posteriors_by_brute_force(name):
    target, t = TARGETS[name], 0.35
    x = noised(target, t).sample(3, seed=2)
    a, s = np.exp(-t), np.sqrt(-np.expm1(-2 * t))
    n = 4001 if target.dimension == 1 else 401
    axis = torch.linspace(-8, 8, n).double()
    x0 = torch.stack(torch.meshgrid(*[axis] * target.dimension, indexing="ij"), -1).reshape(-1, target.dimension)
    log = target.log_density(x0) - (x[:, None] - a * x0).square().sum(-1) / (2 * s**2)
    w = log.softmax(1)
    mean = w @ x0
    apart = x0 - mean[:, None]
    found = posterior(target, x, t)
    assert torch.allclose(found[0], mean, atol=1e-5)
    assert torch.allclose(found[1], (w[..., None] * apart).mT @ apart, atol=1e-5)


def test_a_data_set_is_a_target(monkeypatch):
    data, x = Empirical(X), torch.from_numpy(RANDOM.standard_normal((7, 2)))
    balls = MixtureTarget(np.ones(40), X, scales=0.0)
    law = noised(data, torch.tensor(0.2))
    assert torch.allclose(law.score(x), noised(balls, 0.2).score(x))
    assert torch.allclose(law.log_density(x), noised(balls, 0.2).log_density(x))
    whole = law.denoised(x)
    monkeypatch.setattr(noised_face, "BLOCK", 50)
    assert BLOCK > 50
    assert torch.allclose(law.denoised(x), whole)
    assert torch.allclose(posterior(data, x, 0.2)[0], whole)
    near = noised(data, 1e-6).denoised(data.x[:3] + 1e-5)
    assert torch.allclose(near, data.x[:3])
    with pytest.raises(InputError, match="points alone"):
        data.score(x)
    with pytest.raises(InputError, match="`std` must be > 0"):
        noised(data, 0.0)


@pytest.mark.parametrize("source", PREDICTIONS)
@pytest.mark.parametrize("to", PREDICTIONS)
@pytest.mark.parametrize("clock", [OU(), VE(), Flow(), DDPM(tuple(np.linspace(1e-4, 0.02, 50)))])
def test_predictions_convert_both_ways(source, to, clock):
    t, x = torch.tensor([0.3, 0.6]).double(), torch.tensor([[1.0, -2.0], [0.5, 0.1]]).double()
    one = oracle(TARGETS["full"], clock, source)(x, t)
    other = convert(one, x, t, clock, source=source, to=to)
    assert torch.allclose(other, oracle(TARGETS["full"], clock, to)(x, t))
    assert torch.allclose(convert(other, x, t, clock, source=to, to=source), one)
    if source == to == "x0":
        assert torch.allclose(one, posterior(TARGETS["full"], x, t, clock)[0])


@pytest.mark.parametrize("clock", [OU(), VE(), Flow(), DDPM(tuple(np.linspace(1e-3, 0.2, 50)))])
def test_clocks(clock):
    """Times reach their ratio; drift and diffusion make scale and std; denoisers agree at one ratio, whatever the clock."""
    log_snr = torch.linspace(-1, 6, 9).double()
    t = clock.time(log_snr)
    assert torch.allclose(2 * (clock.scale(t) / clock.std(t)).log(), log_snr)
    assert torch.allclose(grid(clock, 8, (-1.0, 6.0)), t)
    by_time = grid(clock, 8, (-1.0, 6.0), "time")
    assert torch.allclose(by_time.diff(), by_time.diff()[0].expand(8))
    assert torch.allclose(by_time[[0, -1]], t[[0, -1]])
    t, ε = t[1:-1], 1e-6
    log = (clock.scale(t + ε).log() - clock.scale(t - ε).log()) / (2 * ε)
    square = (clock.std(t + ε).square() - clock.std(t - ε).square()) / (2 * ε)
    assert torch.allclose(log, clock.drift(t), rtol=1e-5, atol=1e-8)
    assert torch.allclose(square - 2 * clock.drift(t) * clock.std(t).square(), clock.diffusion(t), rtol=1e-4)
    target, y = TARGETS["mixture"], torch.tensor([[0.4, -0.2]]).double().expand(7, 2)
    ours = oracle(target, clock, "x0")(clock.scale(t)[:, None] * y, t)
    assert torch.allclose(ours, oracle(target, VE(), "x0")(y, VE().time(log_snr[1:-1])))


@pytest.mark.parametrize("target", [TARGETS["regression"], TARGETS["logistic"]], ids=["regression", "logistic"])
def test_minibatch_scores_are_unbiased(target):
    """Every batch of two, in turn; all of the examples at once; and the potential's own definition."""
    n, theta = 4, torch.tensor([0.3, -0.5, 0.2][: target.dimension]).double()
    x, y = target.x[:n], target.y[:n]
    small = type(target)(x, y, **({"noise": 0.5} if isinstance(target, BayesianRegression) else {}))
    index = torch.cartesian_prod(torch.arange(n), torch.arange(n))
    scores = small.minibatch_score(theta.expand(n * n, -1), index)
    assert torch.allclose(scores.mean(0), small.score(theta))
    assert torch.allclose(small.minibatch_score(theta[None], torch.arange(n)[None])[0], small.score(theta))
    assert float(scores.var()) > 0
    if isinstance(target, BayesianRegression):
        potential = (y - x @ theta).square().sum() / 0.5 + theta.square().sum() / 2
        shift = small.potential(theta) - potential - small.potential(0 * theta) + y.square().sum() / 0.5
        assert abs(float(shift)) < 1e-9


def test_the_breast_cancer_posterior():
    target, reference = breast_cancer(), breast_cancer_reference()
    assert target.x.shape == (569, 31)
    assert float(target.score(target.mode).abs().max()) < 1e-8
    assert reference.least_effective_sample_size > 50_000
    sd, laplace = reference.covariance.diagonal().sqrt(), target.laplace
    assert (
        float(((reference.mean - target.mode) / sd).abs().max()) < 0.6
    )  # the posterior is skew, but not far from Gaussian
    assert torch.allclose(sd, laplace.covariance.diagonal().sqrt(), rtol=0.25)
    with pytest.raises(InputError, match="`dimension` must be 1 or 2"):
        noised(target, 0.1)


@pytest.mark.slow
def test_the_reference_by_importance_sampling(size):
    """NUTS's moments against reweighted samples of a Student t about the mode: another method, with its standard error."""
    target, reference, n, nu = breast_cancer(), breast_cancer_reference(), size(20_000, 400_000), 12
    random, d = np.random.default_rng(1), 31
    root = np.linalg.cholesky(target.laplace.covariance.numpy())
    t = random.standard_normal((n, d)) / np.sqrt(random.chisquare(nu, n) / nu)[:, None]
    x = target.mode + torch.from_numpy(t @ root.T)
    log = -target.potential(x).numpy() + (nu + d) / 2 * np.log1p((t**2).sum(1) / nu)
    w = np.exp(log - log.max())
    w /= w.sum()
    assert 1 / (w**2).sum() > 0.02 * n
    mean = w @ x.numpy()
    error = np.sqrt(w**2 @ (x.numpy() - mean) ** 2)
    known = np.sqrt(reference.covariance.diagonal().numpy() / reference.least_effective_sample_size)
    assert np.abs((mean - reference.mean.numpy()) / np.hypot(error, known)).max() < 5.5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("d", [1, 7, 8])
def test_spectra(name, d):
    h = spectrum(name, d, mass=0.5, coupling=2.0, seed=3)
    assert h.shape == (d,)
    assert (h > 0).all()
    target = GaussianTarget.circulant(h, torch.ones(d))
    assert np.linalg.eigvalsh(target.precision.numpy()) == pytest.approx(np.sort(h))
    assert torch.allclose(target.covariance @ target.precision, torch.eye(d).double(), atol=1e-9)
    wave = torch.cos(2 * np.pi * 2 * torch.arange(d).double() / d)
    assert torch.allclose(target.precision @ wave, h[2 % d] * wave, atol=1e-9)


def test_the_reversed_field():
    field, back = (spectrum(name, 32) for name in ("field", "reversed"))
    assert np.sort(field) == pytest.approx(np.sort(back))
    assert (field[0], field[16], back[0], back[16]) == pytest.approx((1, 17, 17, 1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MixtureTarget([1.0, -1.0], np.ones((2, 1)), 1.0), "`weights` must be > 0"),
        (lambda: MixtureTarget([1.0], np.ones((2, 1)), 1.0), r"`means` must be of shape \(1, any\), got \(2, 1\)"),
        (lambda: MixtureTarget([1.0], [[np.nan]], 1.0), "`means` must be finite"),
        (lambda: MixtureTarget([1.0], [[0.0]]), "`scales` must be given"),
        (lambda: MixtureTarget([1.0], [[0.0]], -1.0), "`scales` must be >= 0"),
        (lambda: MixtureTarget([1.0], [[0.0, 0.0]], covariances=[np.diag([1.0, -1.0])]), "positive definite"),
        (lambda: MixtureTarget([1.0], [[0.0, 0.0]], covariances=[[[1.0, 1.0], [0.0, 1.0]]]), "symmetric"),
        (lambda: GaussianTarget([[1.0, 2.0], [2.0, 1.0]]), "`precision` must be positive definite"),
        (lambda: GaussianTarget(np.ones((2, 3))), "`precision` must be"),
        (lambda: GaussianTarget.circulant([1.0, 2.0, 3.0]), "`spectrum` must be"),
        (lambda: TARGETS["full"].score(torch.ones(3)), r"`x` must be a float tensor of shape \(\.\.\., 2\)"),
        (lambda: TARGETS["full"].score(torch.ones(2, dtype=torch.long)), "`x` must be a float tensor"),
        (lambda: TARGETS["full"].sample(0), "`count` must be"),
        (lambda: TARGETS["full"].diffused(1.0, -0.1), "`std` must be"),
        (lambda: spectrum("fields", 3), "`name` must be one of"),
        (lambda: spectrum("field", 3, mass=0.0), "`mass` must be"),
        (lambda: DoubleWell(0.0), "`height` must be"),
        (lambda: Ring(1.0, 0.3), "`radius` must be"),
        (lambda: MuellerBrown(9.0), "`beta` must be"),
        (lambda: LogisticPosterior(X, X[:, 0]), "`y` must be made of 0 and 1"),
        (lambda: BayesianRegression(X, X[:3, 0]), "`y` must be of shape"),
        (lambda: BayesianRegression(X, X[:, 0], noise=0.0), "`noise` must be"),
        (lambda: TARGETS["logistic"].minibatch_score(torch.ones(2, 2), torch.ones(3, 1).long()), "`index` must be"),
        (
            lambda: TARGETS["logistic"].minibatch_score(torch.ones(1, 2), torch.tensor([[99]])),
            r"`index` must be .*0\.\.39",
        ),
        (lambda: Empirical([[1.0], [np.inf]]), "`x` must be finite"),
        (lambda: DDPM((0.1, 1.0)), "`betas` must be"),
        (lambda: grid(OU(), 3, (2.0, 1.0)), "`log_snr` must be"),
        (lambda: convert(torch.ones(1), torch.ones(1), 0.1, OU(), source="x1", to="eps"), "`source` must be one of"),
        (
            lambda: convert(torch.ones(1), torch.ones(2), 0.1, OU(), source="x0", to="eps"),
            r"`value` must be of shape \(2,\)",
        ),
        (lambda: convert(torch.ones(1), torch.ones(1), np.nan, OU(), source="x0", to="eps"), "`t` must be finite"),
        (
            lambda: convert(torch.ones(1), torch.ones(1), 0.0, OU(), source="x0", to="eps"),
            "`t` must be where the noise",
        ),
        (
            lambda: convert(torch.ones(1), torch.ones(1), 1.0, Flow(), source="eps", to="x0"),
            "`t` must be where the noise",
        ),
        (lambda: convert(torch.ones(2) / 0, torch.ones(2), 0.1, OU(), source="x0", to="eps"), "`value` must be finite"),
        (lambda: grid(OU(), 3, 2.0), r"`log_snr` must be of shape \(2,\)"),
        (
            lambda: oracle(TARGETS["full"])(torch.ones(3, 2), torch.ones(2)),
            "`t` must be a number, or of the shape of `x`",
        ),
        (lambda: oracle(TARGETS["full"], prediction="x1"), "`prediction` must be one of"),
        (lambda: posterior(TARGETS["ring"], [1.0], 0.1), "`x` must be a float tensor"),
        (lambda: noised(None, 0.1), "`target` must be a target"),
        (lambda: noised(TARGETS["full"], "now"), "`t` must be real numbers"),
        (lambda: noised(TARGETS["full"], [0.1, np.nan]), "`t` must be finite"),
        (lambda: noised(TARGETS["full"], [[0.1]]), "`scale` must be a number, or of shape"),
        (lambda: TARGETS["full"].diffused([0.5, 0.5], [1.0, 1.0, 1.0]), "`std` must be a number, or of shape"),
        (lambda: Product(TARGETS["full"], None), "`second` must be a target"),
        (lambda: TARGETS["logistic"].hessian(torch.ones(3)), r"`theta` must be of shape \(2,\)"),
        (lambda: TARGETS["logistic"].minibatch_score(torch.ones(2, 2), None), "`index` must be whole numbers"),
        (lambda: BayesianRegression.drawn(3, 2, noise=None), "`noise` must be"),
        (lambda: MixtureTarget(["a"], [[0.0]], 1.0), "`weights` must be real numbers"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("of", ["potential", "score"])
@pytest.mark.parametrize("t", [0, [0.2, 0.3]])
def test_points_are_finite_and_as_many_as_there_are_pairs(name, of, t):
    target = noised(TARGETS[name], t) if t else TARGETS[name]
    x = torch.ones(2, target.dimension)
    bad = [
        (x * torch.nan, "finite"),
        (x[0] * torch.inf, "finite"),
        (x[:, :0], "a float tensor"),
        (x.numpy(), "a float"),
    ]
    for given, words in [*bad, *([(torch.ones(3, target.dimension), r"\(2,\) points")] if t else [])]:
        with pytest.raises(InputError, match=f"`x` must be {words}"):
            getattr(target, of)(given)
