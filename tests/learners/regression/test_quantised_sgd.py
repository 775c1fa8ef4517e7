"""SGD in few bits against plain loops and the law, on planted and real data; modules against what hooks should do."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from twopart._checks import InputError
from twopart.laws.regression import geometric, precision_risk
from twopart.learners.regression import (
    BlockFloat,
    Dither,
    FloatRounding,
    Quantisation,
    ScalarNoise,
    StochasticRounding,
    quantise,
    quantised_sgd,
    quantised_sgd_step,
    store,
    wrap,
)
from twopart.worlds.regression import DigitParity, LeastSquares, SecondMoments, Sketch

SKETCH = Sketch(LeastSquares.power(60, decay=1.5, source=2.0, noise=0.1**0.5), 8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_rounding_it_is_plain_sgd(dtype):
    """Three runs by a loop: each reads every sample once, in an order of its own."""
    x, y = SKETCH.sample(12, dtype=dtype)
    found = quantised_sgd(x, y, schedule=0.2, batch=5, replicates=3)
    assert found.dtype == dtype
    assert found.shape == (3, 8)
    assert np.ptp(found, axis=0).max() > 1e-3
    same = quantised_sgd(torch.tensor(x), torch.tensor(y), schedule=0.2, batch=5, replicates=3)
    assert np.array_equal(same.numpy(), found)
    assert quantised_sgd(x, y, schedule=[0.1], batch=12)[0] == pytest.approx(0.1 * x.T @ y / 12, rel=1e-4)
    one = quantised_sgd(x[:1].repeat(3, 0), y[:1].repeat(3), schedule=[0.1, 0.05], batch=2)[
        0
    ]  # the last batch is smaller
    w = np.zeros(8)
    for rate in (0.1, 0.05):
        w = w - rate * x[0] * (x[0] @ w - y[0])
    assert one == pytest.approx(w, rel=1e-4)


def test_a_step_rounds_what_it_says():
    """To nearest, so that a plain formula tells each part."""
    half = FloatRounding(0, nearest=True)
    few = Quantisation(data=half, label=half, parameter=half, activation=half, gradient=half, stored=half)
    x, y = (torch.tensor(part) for part in SKETCH.sample(6))
    w = torch.linspace(-1, 1, 16, dtype=torch.float64).reshape(2, 8)
    want = []
    for run in range(2):
        rows, answers = half(x[3 * run : 3 * run + 3]), half(y[3 * run : 3 * run + 3])
        push = half(half(rows @ half(w[run])) - answers)
        want.append(half(w[run] - 0.3 * push @ rows / 3))
    quantised_sgd_step(w, x.reshape(2, 3, 8), y.reshape(2, 3), 0.3, few)
    assert w == pytest.approx(torch.stack(want))


@pytest.mark.parametrize(
    "few",
    [
        Quantisation(data=ScalarNoise(0.1)),
        Quantisation(data=FloatRounding(0), gradient=Dither(0.5)),
        Quantisation(data=StochasticRounding(1.2), label=Dither(1.0)),
        Quantisation(data=BlockFloat(3, 4), activation=Dither(1.0)),
        Quantisation(parameter=Dither(1.5), stored=Dither(0.05)),
    ],
    ids=range(5),
)
def test_runs_end_where_the_law_says(few, size):
    """Fresh data, all kinds of noise; 5 standard errors, of which a law off by 5 % is farther away."""
    runs, steps, moments = size(4000, 100_000), 60, SKETCH.moments
    random, w = torch.Generator().manual_seed(1), torch.zeros(runs, 8)
    root = torch.tensor(moments.root.T, dtype=torch.float32)
    for rate in geometric(steps, 0.4).tolist():
        both = torch.randn(runs, 2, 9, generator=random) @ root
        quantised_sgd_step(w, both[..., :-1], both[..., -1], rate, few, random)
    w = w.double().numpy()
    risks = moments.power - 2 * w @ moments.cross + ((w @ moments.covariance) * w).sum(1) - 0.1
    law = float(precision_risk(moments, few.noise(moments), rate=0.4, steps=steps, batch=2).clean) - 0.1
    error = risks.std() / np.sqrt(runs)
    assert error < 0.008 * law
    assert abs(risks.mean() - law) < 5 * error


def test_noise_is_told_apart():
    moments = SKETCH.moments
    assert Quantisation(data=ScalarNoise(0.1)).noise(moments).scalar == 0.1
    assert Quantisation(data=Dither(0.2)).noise(moments).additive == pytest.approx(0.01)
    own = FloatRounding(1).variance(np.sqrt(np.diag(moments.covariance)))
    assert Quantisation(data=FloatRounding(1)).noise(moments).covariance == pytest.approx(own)
    block = np.asarray(Quantisation(data=BlockFloat(4, 4)).noise(moments).covariance)
    assert block == pytest.approx(block.T)
    assert np.diag(block).mean() > 3 * np.abs(block - np.diag(np.diag(block))).mean()  # chance rounds each by itself
    v = np.linalg.solve(moments.covariance, moments.cross)
    noise = Quantisation(label="bf16", parameter="fp4_e2m1", activation=Dither(1.0), stored=Dither(0.1)).noise(moments)
    assert noise.parameter == pytest.approx(np.mean(quantise("fp4_e2m1").variance(np.abs(v))))
    assert (noise.activation, noise.stored) == pytest.approx((0.25, 0.0025))
    assert noise.label == pytest.approx(quantise("bf16").variance(moments.power**0.5))


def test_on_digits_the_law_is_near(size):
    """Real features, neither Gaussian nor fresh: one pass over the parity of digits, to 4 %; and few bits cost what it says."""
    x, y = DigitParity(1200).train
    moments, found = SecondMoments.of(x, y), []
    for few in (Quantisation(), Quantisation(data=quantise("fp4_e2m1", stochastic=True))):
        w = quantised_sgd(x, y, few, schedule=0.3, replicates=size(20, 200))
        law = float(precision_risk(moments, few.noise(moments), rate=0.3, steps=1200).clean)
        found.append((np.square(x @ w.T - y[:, None]).mean(), law))
        assert found[-1][0] == pytest.approx(law, rel=0.04)
    assert found[1][0] - found[0][0] == pytest.approx(found[1][1] - found[0][1], rel=0.25)
    assert found[1][0] > 1.2 * found[0][0]


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 2))


def test_a_wrapped_module_rounds_and_passes_gradients_through():
    plain, x = network(), torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    few = Quantisation(data="fp8_e4m3", parameter="int4", activation="bf16", gradient="fp8_e5m2")
    wrapped = wrap(network(), few)
    q = {name: quantise(getattr(few, name)) for name in ("data", "parameter", "activation", "gradient")}
    first, last = plain[0], plain[2]
    hidden = q["activation"](nn.functional.linear(q["data"](x), q["parameter"](first.weight), first.bias))
    inner = q["data"](hidden.relu())
    out = q["activation"](nn.functional.linear(inner, q["parameter"](last.weight), last.bias))
    assert torch.equal(wrapped(x), out)
    wrapped(x).square().sum().backward()
    pushed = q["gradient"]((2 * out).detach())
    assert torch.equal(wrapped[2].parametrizations.weight.original.grad, pushed.T @ inner)
    back = q["gradient"]((pushed @ q["parameter"](last.weight)) * (hidden > 0))
    assert torch.allclose(wrapped[0].parametrizations.weight.original.grad, back.T @ q["data"](x))
    x[0, 0] = torch.inf
    assert torch.equal(wrapped(x), wrapped(x.clamp(max=448)))  # the greatest number of e4m3
    parametrize.remove_parametrizations(wrapped[0], "weight", leave_parametrized=False)
    assert torch.equal(wrapped[0].weight, first.weight)


def test_convolutions_are_rounded_and_weights_by_chance_anew_each_time():
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    layer = nn.Conv2d(3, 4, 3)
    want = nn.functional.conv2d(quantise("bf16")(x), quantise("bf16")(layer.weight), layer.bias)
    assert torch.equal(wrap(layer, Quantisation(data="bf16", parameter="bf16"))(x), want)
    partly = wrap(network(), Quantisation(parameter=quantise("int4", stochastic=True)), generator=torch.Generator())
    assert not torch.equal(partly(x[0, :1, 0, :5]), partly(x[0, :1, 0, :5]))
    optimizer = torch.optim.SGD(partly.parameters(), lr=0.1)
    before = partly[0].parametrizations.weight.original.detach().clone()
    partly(x[0, :1, 0, :5]).sum().backward()
    optimizer.step()
    assert not torch.equal(partly[0].parametrizations.weight.original, before)


def test_stored_weights_lose_small_updates_unless_rounded_by_chance():
    """Updates of 2^-10 of a weight in bfloat16: to nearest nothing moves; by chance the mean does."""
    ends = []
    for stochastic in (False, True):
        weight = nn.Parameter(torch.ones(4000))
        optimizer = torch.optim.SGD([weight], lr=2.0**-10)
        by = quantise("bf16", stochastic=stochastic)
        handle = store(optimizer, by, generator=torch.Generator().manual_seed(0))
        for _ in range(64):
            weight.grad = torch.full_like(weight, -1.0)
            optimizer.step()
        ends.append(weight.detach().mean().item())
        assert torch.equal(weight.to(torch.bfloat16).float(), weight)
        handle.remove()
    assert ends[0] == 1
    assert ends[1] == pytest.approx(1 + 64 / 1024, abs=5 * 2.0**-8 * (64 / 4000) ** 0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Quantisation(data="fp3"), "`format` must be one of"),
        (lambda: quantised_sgd(np.ones((3, 2)), np.ones(4)), "`y` must be of shape"),
        (lambda: quantised_sgd(np.full((3, 2), np.nan), np.ones(3)), "`x` must be finite"),
        (lambda: quantised_sgd(np.ones((3, 2)), np.ones(3), batch=4), "`batch` must be"),
        (lambda: quantised_sgd(np.ones((3, 2)), np.ones(3), replicates=0), "`replicates` must be"),
        (lambda: quantised_sgd(np.ones((3, 2)), np.ones(3), schedule=[0.1, -0.1, 0.1]), "`schedule` must be >= 0"),
        (
            lambda: quantised_sgd_step(torch.ones(2, 3), torch.ones(2, 1, 4), torch.ones(2, 1), 0.1, Quantisation()),
            r"`x` must be of shape \(R, b, d\)",
        ),
        (lambda: wrap(nn.ReLU(), Quantisation(data="bf16")), "`module` must be one with linear layers"),
        (lambda: store(torch.optim.SGD(network().parameters()), "fp3"), "`format` must be one of"),
        (lambda: wrap(network(), Quantisation(stored="bf16")), "`quantisation` must be without label and stored"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
