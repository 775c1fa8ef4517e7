"""Features against loops and torch's attention; errors against residuals, scikit-learn's ridge and all labels there are."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from twopart._checks import InputError
from twopart.learners.in_context import (
    Entrywise,
    RowSoftmax,
    features,
    generalization_error,
    memorization_curve,
    memorization_error,
    probe_spectrum,
)

PAGE = Path(__file__).parents[3] / "docs" / "laws" / "in-context-memorization.md"
random = np.random.default_rng(0)
X, W = random.standard_normal((5, 8)), random.standard_normal((5, 5))
Y, FRESH = random.choice([-1.0, 1.0], 8), random.standard_normal((5, 3))
RELU = Entrywise(lambda t: abs(t) + t)  # of arrays and of tensors


def test_features_are_a_plain_loop():
    f, mean = lambda t: max(t, 0.0) * 2, np.sqrt(2 / np.pi)
    for diagonal, kind in (("removed", RELU), ("kept", RELU), ("kept", Entrywise(RELU.f, centred=False))):
        found = features(X, W, kind, diagonal)
        for j in range(8):
            others = [i for i in range(8) if i != j or diagonal == "kept"]
            shift = mean if kind is RELU else 0.0
            want = sum(X[:, i] * (f(X[:, i] @ W @ X[:, j] / np.sqrt(5)) - shift) / np.sqrt(5) for i in others)
            assert found[:, j] == pytest.approx(want)
    found = features(X, W, RELU, fresh=FRESH)
    want = sum(X[:, i] * (f(X[:, i] @ W @ FRESH[:, 1] / np.sqrt(5)) - mean) / np.sqrt(5) for i in range(8))
    assert found[:, 1] == pytest.approx(want)


@pytest.mark.parametrize("diagonal", ["removed", "kept"])
def test_softmax_is_torchs_attention(diagonal):
    tokens = torch.as_tensor(X.T)[None]
    hidden = None if diagonal == "kept" else ~torch.eye(8, dtype=torch.bool)
    whole = torch.nn.functional.scaled_dot_product_attention(tokens @ torch.as_tensor(W.T) / 2, tokens, tokens, hidden)
    assert features(X, W, RowSoftmax(2.0), diagonal) == pytest.approx(whole[0].numpy().T)
    assert features(1e3 * X, W) == pytest.approx(features(1e3 * torch.as_tensor(X), torch.as_tensor(W)).numpy())


@pytest.mark.parametrize("p", [5, 12])
def test_errors_are_the_residuals_of_ridge(p):
    """A few and many features: (A A' + nγ)^-1 A y is scikit-learn's Ridge without an intercept at α = nγ."""
    A, Z, t, γ = random.standard_normal((p, 8)), random.standard_normal((p, 20)), random.standard_normal(20), 0.3
    ridge = Ridge(8 * γ, fit_intercept=False).fit(A.T, Y)
    assert memorization_error(A, Y, γ) == pytest.approx(np.square(Y - ridge.predict(A.T)).mean(), abs=1e-12)
    assert generalization_error(A, Y, Z, t, γ) == pytest.approx(np.square(t - ridge.predict(Z.T)).mean(), abs=1e-10)
    Q = np.linalg.inv(A.T @ A / 8 + γ * np.eye(8))
    assert memorization_error(A, Y, γ) == pytest.approx(γ**2 * np.square(Q @ Y).sum() / 8, abs=1e-10)
    assert probe_spectrum(A) == pytest.approx(np.linalg.eigvalsh(A.T @ A / 8)[::-1], abs=1e-12)
    labels = np.array(list(product([-1.0, 1.0], repeat=8)))  # all there are, as a batch
    everyone = memorization_curve(np.broadcast_to(A, (256, p, 8)), labels, [γ, 1.0]).mean(0)
    assert memorization_curve(A, None, [γ, 1.0]) == pytest.approx(everyone, abs=1e-12)


def test_arrays_and_tensors_of_both_floats_and_batches():
    x, y = random.standard_normal((2, 3, 6, 9)), random.choice([-1.0, 1.0], (2, 3, 9))
    z, t = random.standard_normal((2, 3, 6, 4)), random.choice([-1.0, 1.0], (2, 3, 4))
    A = features(x, np.eye(6), RELU)
    want = memorization_curve(A, y, [0.1, 1.0]), generalization_error(A, y, features(x, None, RELU, fresh=z), t, 0.1)
    assert (want[0].shape, want[1].shape) == ((2, 3, 2), (2, 3))
    one = features(x[1, 2], None, RELU)
    assert memorization_error(one, y[1, 2], 0.1) == pytest.approx(want[0][1, 2, 0])
    for cast, digits in ((np.float32, 1e-4), (torch.float32, 1e-4), (torch.float64, 1e-12)):
        to = (lambda v, c=cast: v.astype(c)) if cast is np.float32 else (lambda v, c=cast: torch.as_tensor(v).to(c))
        B = features(to(x), None, RELU)
        new = features(to(x), None, RELU, fresh=to(z))
        found = memorization_curve(B, to(y), [0.1, 1.0]), generalization_error(B, y, new, t, 0.1)
        assert {v.dtype for v in (B, new, *found, probe_spectrum(B))} == {to(x).dtype}
        for got, right in zip(found, want, strict=True):
            assert np.asarray(got) == pytest.approx(right, abs=digits)


def test_gradients_reach_the_weights():
    weights = torch.as_tensor(W).requires_grad_()
    loss = memorization_error(features(torch.as_tensor(X), weights, Entrywise(torch.tanh)), torch.as_tensor(Y), 0.1)
    loss.backward()
    step, moved = 1e-6, W.copy()
    moved[1, 2] += step
    plain = [float(memorization_error(features(X, w, Entrywise(np.tanh)), Y, 0.1)) for w in (W, moved)]
    assert float(weights.grad[1, 2]) == pytest.approx((plain[1] - plain[0]) / step, rel=1e-4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: features(X[0]), "`x` must be of shape"),
        (lambda: features(np.where(X > 1, np.nan, X)), "`x` must be finite"),
        (lambda: features(X[:, :1]), "`x` must be of two tokens"),
        (lambda: features(X, np.eye(4)), "`W` must be of shape"),
        (lambda: features(X, fresh=FRESH[:4]), "`fresh` must be of shape"),
        (lambda: features(X, kind="softmax"), "`kind` must be"),
        (lambda: features(X, diagonal="half"), "`diagonal` must be one of"),
        (
            lambda: features(100 * X, None, Entrywise(lambda t: np.exp(np.abs(t)), False)),
            "`kind` must be one whose weights",
        ),
        (lambda: features(torch.as_tensor(X), None, Entrywise(lambda t: t.sum(), False)), "`f` must be"),
        (lambda: RowSoftmax(0.0), "`temperature` must be"),
        (lambda: probe_spectrum(Y), "`A` must be of shape"),
        (lambda: memorization_curve(X, Y, 0.1), "`ridges` must be of shape"),
        (lambda: memorization_curve(X, Y, [0.1, 0.0]), "`ridges` must be in"),
        (lambda: memorization_curve(X, Y[1:], [0.1]), "`y` must be of shape"),
        (lambda: memorization_error(X, Y, np.nan), "`ridge` must be"),
        (lambda: memorization_error(X, np.full(8, np.inf), 0.1), "`y` must be finite"),
        (lambda: generalization_error(X, Y, FRESH[1:], Y[:3], 0.1), "`fresh` must be of shape"),
        (lambda: generalization_error(X, Y, FRESH, Y, 0.1), "`fresh_y` must be of shape"),
        (lambda: generalization_error(X, Y, FRESH, Y[:3], -1.0), "`ridge` must be"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_wrong_arguments_are_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_the_page_opens_with_lines_that_run(capsys):
    code = PAGE.read_text().split("```python\n")[1].split("```")[0]
    exec(code, {})
    shown = [line.split("# ")[1] for line in code.splitlines() if line.startswith("print")]
    assert capsys.readouterr().out.split("\n")[:-1] == shown
