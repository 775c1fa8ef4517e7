"""Batch normalisation's law: by hand, against autograd, matrix exponentials, solvers of quadratic programs, and fresh draws."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.linalg import expm
from scipy.optimize import minimize
from scipy.special import ndtri
from sklearn.svm import LinearSVC

from twopart.laws.features import batch_norm as law
from twopart.learners.features import PatchNet, PatchNetConfig, fresh_error
from twopart.worlds.features import SignalNoise, StrongWeak


def sample(n, P, d, seed=0):
    random = np.random.default_rng(seed)
    return random.standard_normal((n, P, d)), random.permutation(np.resize([1.0, -1.0], n))


def start(gram, scale):
    return gram.sum(-1) * scale / np.sqrt(np.square(gram.sum(-1)).mean(-1, keepdims=True))


def test_two_points_by_hand():
    """Of two orthogonal points the margins are √2 (cos θ, sin θ), with θ the angle of w."""
    gram, w, γ, η = np.eye(2), np.array([0.6, 0.25]), 0.8, 0.3
    path = law.margin_path(gram, 1, η, w, γ)
    length, θ = math.hypot(*w), math.atan2(w[1], w[0])
    z = math.sqrt(2) * np.array([math.cos(θ), math.sin(θ)])
    wrong = 1 / (1 + np.exp(γ * z))
    along = γ / math.sqrt(2) * (wrong[0] * math.sin(θ) - wrong[1] * math.cos(θ))  # ∂ loss/∂θ
    after = w - η * along / length * np.array([-math.sin(θ), math.cos(θ)])
    assert path.margins[0, :, 0] == pytest.approx(z, rel=1e-12)
    assert path.margins[1, :, 0] == pytest.approx(math.sqrt(2) * after / math.hypot(*after), rel=1e-12)
    assert path.scale[1] == pytest.approx(math.hypot(*after) / math.sqrt(2), rel=1e-12)
    assert path.gamma[1] == pytest.approx(γ + η * (wrong @ z) / 2, rel=1e-12)
    assert path.loss[0] == pytest.approx(np.log(1 + np.exp(-γ * z)).mean(), rel=1e-12)
    assert law.spread(path.margins[0], 2) == pytest.approx((z[0] - z[1]) ** 2 / 2)


@pytest.mark.parametrize(("P", "normalised"), [(1, True), (3, True), (3, False)])
def test_the_recursion_against_autograd(P, normalised):
    x, y = sample(5, P, 30)
    gram = law.signed_gram(x, y)
    a = start(gram, 0.9)
    c = np.linalg.solve(gram, a)
    points, labels = torch.from_numpy(x), torch.from_numpy(y)
    w = torch.from_numpy(np.einsum("ip,i,ipd->d", c.reshape(5, P), y, x)).requires_grad_()
    γ = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    for _ in range(200):
        h = points @ w
        f = γ * h.sum(1) / (h.square().mean().sqrt() if normalised else 1)
        dw, dγ = torch.autograd.grad(torch.nn.functional.softplus(-labels * f).mean(), (w, γ))
        w.data -= 0.2 * dw
        γ.data -= 0.2 * dγ if normalised else 0
    end = (labels[:, None] * (points @ w)).detach().numpy()
    path = law.margin_path(gram, 200, 0.2, a, 0.7, P, normalised=normalised)
    assert path.margins[-1] * path.scale[-1] == pytest.approx(end, abs=1e-12)
    assert path.gamma[-1] == pytest.approx(float(γ.detach()), rel=1e-12)
    assert np.square(path.margins).mean((1, 2)) == pytest.approx(1)


def test_batches_are_single_runs_and_sums_are_of_patches():
    x, y = (np.stack(part) for part in zip(*(sample(4, 2, 20, seed) for seed in range(3)), strict=True))
    gram = law.signed_gram(x.astype(np.float32), y)
    assert gram.shape == (3, 8, 8)
    path = law.margin_path(gram, 300, 0.2, start(gram, 1.0).astype(np.float32), patches=2, looks=7)
    assert path.step[[0, 1, -1]].tolist() == [0, 1, 300]
    assert path.margins.shape == (3, len(path.step), 4, 2)
    one = law.margin_path(gram[1], 300, 0.2, start(gram, 1.0)[1].astype(np.float32), patches=2, looks=7)
    for name in ("gamma", "scale", "margins", "loss"):
        assert np.array_equal(getattr(path, name)[1], getattr(one, name)), name
    z = one.margins[-1]
    assert law.spread(one.margins, 2)[-1] == pytest.approx(np.square(z.ravel()[:, None] - z.ravel()).mean())
    assert law.spread(z.sum(1)) == pytest.approx(np.square(z.sum(1)[:, None] - z.sum(1)).mean())
    flat = law.signed_gram(x[:, :, 0], y)
    assert flat == pytest.approx(gram[:, ::2, ::2], rel=1e-5)


def test_weights_and_gamma_may_both_be_negated():
    gram = law.signed_gram(*sample(5, 1, 12))
    one, other = (law.margin_path(gram, 50, 0.2, sign * start(gram, 1.0), sign * 1.0) for sign in (1, -1))
    assert other.margins == pytest.approx(-one.margins)
    assert other.gamma == pytest.approx(-one.gamma)


def test_an_empty_second_patch_is_another_normalisation():
    x, y = sample(5, 1, 12)
    padded = np.concatenate([x, 0 * x], 1)
    gram, wider = law.signed_gram(x, y), law.signed_gram(padded, y)
    a = start(gram, 1.0)
    one = law.margin_path(gram, 100, 0.2, a)
    same, scaled = (law.margin_path(wider, 100, 0.2, np.kron(a, [1, 0]), γ, 2) for γ in (1.0, 0.5**0.5))
    assert abs(same.loss[0] - one.loss[0]) > 1e-3
    assert scaled.loss[0] == pytest.approx(one.loss[0], rel=1e-12)  # at first: γ is smaller by √2, and z larger
    first = scaled.margins[1, :, 0] * scaled.scale[1]
    assert first == pytest.approx((one.margins * one.scale[:, None, None])[1, :, 0], rel=1e-12)
    assert abs(scaled.loss[-1] - one.loss[-1]) > 1e-3  # γ then grows at another speed


@pytest.mark.parametrize("P", [1, 3])
def test_the_late_law_against_matrix_exponentials(P):
    n, s = 4, 1.7
    gram = law.signed_gram(*sample(n, P, 30))
    N = n * P
    δ = 1e-3 * np.random.default_rng(1).standard_normal(N)
    flat = np.eye(N) - 1 / N
    J = np.kron(np.eye(n), np.ones((P, P)))
    edges, expected = np.linspace(2.0, 3.5, 601), flat @ δ
    for low, high in pairwise(edges):
        γ = (low + high) / 2
        expected = expm(-(high - low) * γ / (N * s**2) * flat @ gram @ (γ * J + np.eye(N))) @ expected
    late = law.spread_law(gram, 2.0, [2.0, 2.5, 3.5], s, δ, P)
    assert late[0] == pytest.approx(flat @ δ, rel=1e-12)
    assert late[-1] == pytest.approx(expected, rel=1e-4, abs=1e-4 * np.abs(expected).max())
    assert law.spread_law(gram, 2.0, 3.5, s, δ, P) == pytest.approx(late[-1], rel=1e-6, abs=1e-12)
    if P == 1:
        closed = expm(-((3.5**3 - 2**3) / 3 + (3.5**2 - 2**2) / 2) / (n * s**2) * flat @ gram) @ flat @ δ
        assert late[-1] == pytest.approx(closed, rel=1e-6)


@pytest.mark.parametrize(("n", "P"), [(2, 1), (1, 2)])
def test_where_there_is_one_mode_the_exponent_is_the_law(n, P):
    gram, s, γ = np.array([[3.0, 0.4], [0.4, 2.0]]), 1.3, np.array([1.0, 2.0, 2.5])
    late = law.spread(law.spread_law(gram, γ[0], γ, s, [0.01, -0.01], P))
    assert np.log(late / late[0]) == pytest.approx(-(law.exponent(gram, s, γ, P) - law.exponent(gram, s, 1.0, P)))
    rate = (3.0 + 2.0 - 0.8) / 2 / (2 * s**2)  # that of the difference, over N s²
    asked = 2 * rate * (2.5**3 / 3 + 2.5**2 / 2) if P == 1 else rate * 2.5**2
    assert law.exponent(gram, s, 2.5, P) == pytest.approx(asked)


@pytest.mark.parametrize("P", [1, 2, 3])
def test_training_ends_by_the_late_law_and_its_slowest_mode(P):
    n, rate, steps = 5, 0.2, 100_000
    gram = law.signed_gram(*sample(n, P, 12 * P))
    depth = law.exponent(gram, 1.0, law.late_gamma(steps, rate, P), P)
    path = law.margin_path(gram, steps, rate, start(gram, math.sqrt(depth / 20)), patches=P)
    assert path.gamma[-1] == pytest.approx(law.late_gamma(steps, rate, P), rel=2e-3)
    assert path.loss[-1] == pytest.approx(1 / (P**2 * rate * steps), rel=0.02)
    D = law.spread(path.margins, 2)
    first = int(np.argmax(D < 1e-4))
    δ, s = path.margins[first].ravel() - 1, path.scale[first]
    last = int(np.flatnonzero(D > 1e-20)[-1])
    late = law.spread(law.spread_law(gram, path.gamma[first], path.gamma[last], s, δ, P))
    fall, foretold = (np.log(d / D[first]) for d in (D[last], late))
    assert foretold < -5
    assert fall == pytest.approx(foretold, rel=0.03)
    far, s = np.array([59.0, 60.0]), math.sqrt(law.exponent(gram, 1.0, 60.0, P) / 60)
    late = law.spread(
        law.spread_law(gram, 30.0, far, s, δ, P)
    )  # only the slowest mode is left, and all else follows it
    assert np.log(late[1] / late[0]) == pytest.approx(-np.diff(law.exponent(gram, s, far, P))[0], rel=0.03)


@pytest.mark.parametrize(("P", "d"), [(1, 13), (2, 25)])
def test_limits_against_solvers_of_the_quadratic_program(P, d):
    x, y = sample(12, P, d, seed=3)
    gram = law.signed_gram(x, y)
    found = law.limits(gram, P)
    signed = (x * y[:, None, None]).reshape(-1, d)
    assert signed @ (found.uniform @ signed) == pytest.approx(1)
    sums, w = (x * y[:, None, None]).sum(1), found.maximum @ signed
    assert (sums @ w).min() == pytest.approx(1)
    assert (found.maximum[::P] > 1e-9).sum() < (12 if P == 1 else 13), "some points are no support"
    constraint = {"type": "ineq", "fun": lambda v: sums @ v - 1, "jac": lambda v: sums}
    solved = minimize(lambda v: (v @ v, 2 * v), w * 0, jac=True, constraints=constraint, method="SLSQP", tol=1e-14)
    assert w == pytest.approx(solved.x, abs=1e-5)
    machine = LinearSVC(C=1e4, loss="squared_hinge", fit_intercept=False, tol=1e-8, max_iter=10**5)
    assert w == pytest.approx(machine.fit(x.sum(1), y).coef_[0], abs=1e-3)


def test_plain_descent_turns_to_the_largest_margin_and_normalised_to_uniform_ones():
    gram = law.signed_gram(*sample(6, 2, 30))
    ends = law.limits(gram, 2)
    for normalised, c, off in ((True, ends.uniform, 1e-3), (False, ends.maximum, 0.05)):
        path = law.margin_path(gram, 10**5, 0.3, start(gram, 1.0), patches=2, normalised=normalised)
        z = gram @ c / np.sqrt(np.square(gram @ c).mean())
        assert path.margins[-1].ravel() == pytest.approx(z, abs=off)


def test_the_error_of_both_limits_against_a_million_draws():
    """Of weights as they are where noise patches are orthogonal, on fresh points whose strong patch is noise alone."""
    n, d, σ, strengths = 20, 500, 1.2, np.array([5.0, 14.0])
    world = SignalNoise(StrongWeak(14.0, 5.0, 0.0), dimension=d, noise=σ, noise_on="all", slots="apart")
    along = world.basis  # weak, strong
    free = np.linalg.qr(np.vstack([along, np.ones(d)]).T)[0][:, 2]
    X = σ**2 * (d - 2)
    errors = law.shift_errors(strengths, [True, False], n, d, σ)
    for c, error in zip((1 / (n * strengths**2 + X), np.ones(2)), errors, strict=True):
        w = (c * n * strengths) @ along + math.sqrt(n * X * (c @ c)) * free
        network = PatchNet(
            PatchNetConfig(1, "identity", sides=1),
            torch.from_numpy(w)[None, None, None],
            torch.ones(1, 1, 1, 1).double(),
        )
        measured = float(fresh_error(network, world.without("strong"), 10**6))
        assert abs(measured - error) < 5 * math.sqrt(error * (1 - error) / 10**6)
    assert law.shift_errors([5, 14], [True, False], 20, 2000) == pytest.approx((0.0516, 0.1055), abs=2e-4)
    assert law.shift_errors([5.5, 12], [True, False], 16, 1500) == pytest.approx((0.0251, 0.059), abs=2e-4)
    several = law.shift_errors([[5, 5], [5, 1e6]], [True, False], 20, 2000)
    assert ndtri(several.uniform) == pytest.approx(ndtri(several.maximum) * np.sqrt([1, 2]), rel=1e-4)


GRAM = np.eye(4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: law.signed_gram(np.ones((3, 2)), [1, 0, 1]), "`y`"),
        (lambda: law.signed_gram(np.ones((3, 2)), [1, -1]), "`x`"),
        (lambda: law.signed_gram([[np.nan], [1.0]], [1, -1]), "`x` must be finite"),
        (lambda: law.spread([], axes=2), "`margins`"),
        (lambda: law.spread([]), "`margins`"),
        (lambda: law.spread([1.0, math.nan]), "`margins` must be finite"),
        (lambda: law.spread([1.0, 2.0], 0), "`axes`"),
        (lambda: law.signed_gram(np.ones((0, 4)), []), "`x`"),
        (lambda: law.margin_path(np.ones((0, 4, 4)), 1, 0.1, np.ones((0, 4))), "`gram`"),
        (lambda: law.exponent([[1.0]], 1.0, 2.0), "`gram` must be of two patches or more"),
        (lambda: law.spread_law(GRAM, 1.0, [], 1.0, np.ones(4)), "`gamma_to`"),
        (lambda: law.margin_path(np.ones((4, 3)), 1, 0.1, np.ones(4)), "`gram`"),
        (lambda: law.margin_path([1.0], 1, 0.1, [1.0]), "`gram`"),
        (lambda: law.margin_path(np.triu(np.ones((4, 4))), 1, 0.1, np.ones(4)), "`gram` must be symmetric"),
        (lambda: law.margin_path(GRAM, 1, 0.1, np.ones(3)), "`margins`"),
        (lambda: law.margin_path(GRAM, 1, 0.1, np.zeros(4)), "`margins`"),
        (lambda: law.margin_path(GRAM, -1, 0.1, np.ones(4)), "`steps`"),
        (lambda: law.margin_path(GRAM, 1, 0.0, np.ones(4)), "`rate`"),
        (lambda: law.margin_path(GRAM, 1, 0.1, np.ones(4), math.nan), "`gamma`"),
        (lambda: law.margin_path(GRAM, 1, 0.1, np.ones(4), patches=3), "`patches` must be a divisor"),
        (lambda: law.margin_path(GRAM, 1, 0.1, np.ones(4), looks=0), "`looks`"),
        (lambda: law.late_gamma(0, 0.1), "`steps`"),
        (lambda: law.late_gamma(10, math.nan), "`rate`"),
        (lambda: law.late_gamma(10, 0.1, 0), "`patches`"),
        (lambda: law.exponent(np.ones((4, 4)), 1.0, 2.0), "`gram` must be positive"),
        (lambda: law.exponent(GRAM, 0.0, 2.0), "`scale`"),
        (lambda: law.exponent(GRAM, 1.0, -2.0), "`gamma`"),
        (lambda: law.spread_law(GRAM, 0.0, 2.0, 1.0, np.ones(4)), "`gamma_from`"),
        (lambda: law.spread_law(GRAM, 2.0, 1.0, 1.0, np.ones(4)), "`gamma_to`"),
        (lambda: law.spread_law(GRAM, 1.0, [3.0, 2.0], 1.0, np.ones(4)), "`gamma_to`"),
        (lambda: law.spread_law(GRAM, 1.0, 2.0, -1.0, np.ones(4)), "`scale`"),
        (lambda: law.spread_law(GRAM, 1.0, 2.0, 1.0, np.ones(3)), "`deviations`"),
        (lambda: law.spread_law(GRAM[None], 1.0, 2.0, 1.0, np.ones(4)), "`gram`"),
        (lambda: law.limits(np.ones((4, 4))), "`gram`"),
        (lambda: law.shift_errors([5, -1], [True, False], 20, 100), "`strengths`"),
        (lambda: law.shift_errors([5, 1], [True], 20, 100), "`kept`"),
        (lambda: law.shift_errors([5, 1], [1, 0], 20, 100), "`kept`"),
        (lambda: law.shift_errors([5, 1], [True, False], 0, 100), "`points`"),
        (lambda: law.shift_errors([5, 1], [True, False], 20, 2), "`dimension`"),
        (lambda: law.shift_errors([5, 1], [True, False], 20, 10, 0.0), "`noise`"),
    ],
)  # fmt: skip
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_rate_at_which_numbers_overflow_is_refused():
    with pytest.raises(ValueError, match="`rate` must be small enough"):
        law.margin_path(GRAM, 20, 1e308, np.arange(1.0, 5))
