"""GLM-tron against plain loops, torch's own SGD, the laws of its mean, and scikit-learn's tests of an estimator."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator
from torch import nn

from twopart._checks import InputError
from twopart.laws.regression import geometric, mean_weights
from twopart.learners.regression import (
    GLMTronRegressor,
    StraightLink,
    glm_tron,
    glm_tron_step,
    straight_link,
)
from twopart.worlds.regression import LeastSquares, ReluNeuron

SIGMAS = 5.0  # a false alarm in two million


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def descend(net, x, y, rate, steps):
    """Gradient descent on half the mean square by torch's own gradients; the last loss."""
    for _ in range(steps):
        loss = nn.functional.mse_loss(net(x)[:, 0], y) / 2
        for weight, slope in zip(net.parameters(), torch.autograd.grad(loss, list(net.parameters())), strict=True):
            weight.data -= rate * slope
    return loss.item()


@pytest.fixture
def data():
    return ReluNeuron.power(5, decay=0.5, noise=0.2, seed=1).sample(60)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


LINKS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: z > 0),
    "identity": (lambda z: z, np.ones_like),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    torch.tanh: (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("gate", [False, True])
def test_a_run_is_a_plain_loop(data, link, gate):
    """All samples in each batch, so that their order does not matter."""
    x, y = data
    f, slope = LINKS[link]
    rates, w = geometric(12, 0.5), np.full(5, 0.3)
    for rate in rates:
        error = f(x @ w) - y
        w = w - rate / len(x) * (error * (slope(x @ w) if gate else 1)) @ x
    given = {"link": link, "gate": gate, "schedule": 0.5, "steps": 12, "start": np.full(5, 0.3), "batch": 60}
    found = glm_tron(x, y, **given, replicates=2)
    assert found == pytest.approx(np.stack([w, w]), rel=1e-12)


def test_one_pass_reads_every_sample_once(data):
    """From a run of steps too small to change what a sample answers, each run has moved by the sum over all samples."""
    x, y = data
    for batch in (1, 7):
        w = glm_tron(x, y, link=lambda z: 0 * z, schedule=np.full(-(-60 // batch), 1e-3), batch=batch, replicates=3)
        sizes = np.array([min(batch, 60 - k) for k in range(0, 60, batch)])
        if batch == 1:
            assert w == pytest.approx(np.tile(1e-3 * y @ x, (3, 1)))
        else:
            assert sizes.sum() == 60
            assert np.ptp(w, axis=0).max() > 0, "orders differ, and so does which batch is the short one"


def test_runs_depend_on_the_seed_and_keep_their_kind(data):
    x, y = data
    one = glm_tron(x, y, replicates=4, seed=1)
    assert np.array_equal(one, glm_tron(x, y, replicates=4, seed=1))
    assert not np.array_equal(one, glm_tron(x, y, replicates=4, seed=2))
    assert np.unique(one, axis=0).shape == (4, 5)
    tensor = glm_tron(torch.from_numpy(x).float(), torch.from_numpy(y).float(), replicates=4, seed=1)
    assert (tensor.dtype, tuple(tensor.shape)) == (torch.float32, (4, 5))
    assert np.allclose(tensor.numpy(), one, atol=1e-4)
    drawn = glm_tron(x, y, order="replacement", steps=30, replicates=4, batch=100)
    assert drawn.shape == (4, 5)


def test_the_gate_is_sgd_of_torch(data):
    x, y = (torch.from_numpy(part) for part in data)
    layer = nn.Linear(5, 1, bias=False).double()
    begin = layer.weight.detach().clone()
    descend(nn.Sequential(layer, nn.ReLU()), x, y, 0.3, 5)
    found = glm_tron(x, y, schedule=np.full(5, 0.3), steps=5, batch=60, start=begin, gate=True)
    assert torch.allclose(found, layer.weight.detach())


def test_the_identity_link_is_least_squares():
    """Fresh samples each step: the mean risk of the recursion of SGD, in the covariance itself."""
    world, R, rates = LeastSquares.power(6, decay=1.0, noise=0.3, seed=2), 3000, np.full(30, 0.2)
    w = torch.ones(R, 6, dtype=torch.float64)
    for t, rate in enumerate(rates):
        x, y = map(torch.from_numpy, world.sample(R, t))
        glm_tron_step(w, x[:, None], y[:, None], rate, link="identity")
    risk = world.excess(w.numpy())
    λ, m = world.spectrum, (1 - world.optimum) ** 2  # E (w - w*)² by the moments of docs/laws/multi-pass-sgd.md
    for rate in rates:
        m = m * ((1 - rate * λ) ** 2 + (rate * λ) ** 2) + rate**2 * λ * (λ @ m + 0.3**2)
    law = λ @ m / 2
    error = SIGMAS * risk.std() / np.sqrt(R)
    assert error < 0.1 * law
    assert risk.mean() == pytest.approx(law, abs=error)


def deviation(x, y, steps=120, runs=400):
    """Squared distance of the mean of runs from the linear law, over the most that chance makes of it, once in a million."""
    rates = geometric(steps, 1 / np.square(x).sum(1).mean())
    w = glm_tron(x, y, schedule=rates, steps=steps, order="replacement", replicates=runs)
    H, spread = x.T @ x / len(x), np.cov(w.T)
    off = w.mean(0) - mean_weights(H, x.T @ y / len(x), rates, np.zeros(len(H)))[-1]
    r = np.trace(H @ spread) ** 2 / np.trace(H @ spread @ H @ spread)
    return runs * off @ H @ off / np.trace(H @ spread) / (chi2.isf(1e-6, r) / r)


@pytest.mark.parametrize("load", [load_diabetes, load_digits])
def test_the_mean_on_real_data(load):
    """Linear once the inputs are symmetric; far from the law as they come."""
    x, y = load(return_X_y=True)
    x, y = np.column_stack([StandardScaler().fit_transform(x), np.ones(len(x))]), y / y.max()
    assert deviation(np.concatenate([x, -x]), np.concatenate([y, 0 * y])) < 1
    assert deviation(x, y) > 5


def test_a_straight_link_passes_gradients_on(data):
    z = torch.linspace(-2, 2, 9, dtype=torch.float64, requires_grad=True)
    for link, f in (
        ("relu", torch.relu),
        ("sigmoid", torch.sigmoid),
        ("identity", lambda z: z),
        (torch.tanh, torch.tanh),
    ):
        out = straight_link(z, link)
        assert torch.equal(out, f(z))
        weight = torch.arange(9.0, dtype=torch.float64)
        assert torch.equal(torch.autograd.grad((out * weight).sum(), z)[0], weight)
    each = torch.func.vmap(torch.func.grad(lambda z: straight_link(z)))(z.detach())
    assert torch.equal(each, torch.ones(9, dtype=torch.float64))
    ends = torch.tensor([-torch.inf, torch.inf])
    assert torch.equal(straight_link(ends, "sigmoid"), torch.tensor([0.0, 1.0])), "answers stay, of infinite inputs too"
    with pytest.raises(InputError, match="`link` must be one that keeps the shape"):
        straight_link(z, lambda z: z.sum())


def test_a_module_with_a_straight_link_takes_glm_trons_step(data):
    x, y = (torch.from_numpy(part) for part in data)
    net = nn.Sequential(nn.Linear(5, 1, bias=False), StraightLink(nn.ReLU(inplace=True))).double()
    begin = net[0].weight.detach().clone()
    assert torch.equal(net(x), (x @ begin.T).relu())
    (nn.functional.mse_loss(net(x)[:, 0], y) / 2).backward()
    w = begin.clone()
    glm_tron_step(w, x[None], y[None], 0.3)
    assert torch.allclose(begin - 0.3 * net[0].weight.grad, w)
    assert set(net.state_dict()) == {"0.weight"}


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.out, self.act, self.body = nn.Linear(3, 1), nn.ReLU(), nn.Linear(5, 3)

    def forward(self, x):
        return self.act(self.out(torch.tanh(self.body(x))))


def test_a_dead_output_comes_alive():
    """A head that answers 0 everywhere: its own gradient is 0 for ever, through a straight link it learns."""
    torch.manual_seed(0)
    x, losses = torch.randn(64, 5), {}
    y = (x[:, 0] + 2).relu()
    for way in ("as it is", "straight"):
        net = Head()
        nn.init.constant_(net.out.bias, -5.0)
        if way == "straight":
            net.act = StraightLink(net.act)
        losses[way] = descend(net, x, y, 0.1, 120)
    assert losses["as it is"] == pytest.approx(float(y.square().mean() / 2)), "it has not moved"
    assert losses["straight"] < 0.05 * losses["as it is"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x": np.ones(3)}, "`x` must be of shape"),
        ({"x": np.full((60, 5), np.nan)}, "`x` must be finite"),
        ({"y": np.ones(4)}, "`y` must be of shape \\(60,\\)"),
        ({"link": "cubic"}, "`link` must be one of"),
        ({"schedule": [-0.1] * 60}, "`schedule` must be >= 0"),
        ({"schedule": -0.1}, "`rate` must be"),
        ({"schedule": [0.1]}, "`schedule` must be of shape \\(60,\\)"),
        ({"batch": 61}, "`batch` must be"),
        ({"start": np.ones(4)}, "`start` must be of shape"),
        ({"order": "sorted"}, "`order` must be one of"),
        ({"replicates": 0}, "`replicates` must be"),
    ],
)
def test_bad_arguments_are_refused(data, change, said):
    with pytest.raises(InputError, match=said):
        glm_tron(**{"x": data.x, "y": data.y, **change})
    with pytest.raises(InputError, match="`x` must be of shape"):
        glm_tron_step(torch.zeros(2, 5), torch.zeros(2, 5), torch.zeros(2), 0.1)


def test_the_estimator_is_one_of_scikit_learns(size):
    check_estimator(GLMTronRegressor(epochs=size(10, 100)), on_skip=None)


def test_the_estimator_learns():
    """Diabetes, in a pipeline and a search: about as well as least squares, R² 0.5; and counts through a sigmoid."""
    x, y = load_diabetes(return_X_y=True)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), GLMTronRegressor(epochs=12, random_state=0)),
        {"glmtronregressor__batch_size": [16, 32]},
        cv=2,
    )
    search.fit(x, y)
    assert search.best_score_ > 0.4
    model = search.best_estimator_[-1]
    assert (model.coef_.shape, model.n_features_in_, model.n_iter_) == ((10,), 10, 12)
    assert search.predict(x).min() >= 0
    flat = GLMTronRegressor(link="sigmoid", fit_intercept=False, epochs=5, random_state=0)
    flat.fit(x, (y > 140) * 1.0)
    assert flat.intercept_ == 0.0
    assert StraightLink("sigmoid")(torch.from_numpy(x @ flat.coef_)).numpy() == pytest.approx(flat.predict(x))
    with pytest.raises(ValueError, match="`epochs` must be"):
        GLMTronRegressor(epochs=0).fit(x, y)
    with pytest.raises(ValueError, match="`learning_rate` must be"):
        GLMTronRegressor(learning_rate=-1.0).fit(x, y)


def test_the_page_opens_with_what_it_says():
    """The blocks of docs/laws/relu-neuron.md: ten lines of method, and the linear mean on the same data."""
    page = (Path(__file__).parents[3] / "docs/laws/relu-neuron.md").read_text()
    blocks, names = re.findall(r"```python\n(.*?)```", page, flags=re.S), {}
    assert len(blocks) == 2
    for block in blocks:
        exec(block, names)
    assert names["model"].score(names["x"].numpy(), names["y"].numpy()) == pytest.approx(0.515, abs=0.003)
    assert isinstance(names["net"][-1], StraightLink)
    off = np.abs(names["runs"].mean(0) - names["law"]) / (names["runs"].std(0) / np.sqrt(2000))
    assert off.max() < SIGMAS
