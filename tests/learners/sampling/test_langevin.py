"""Smoothed Langevin samplers against dense algebra, their law, a plain loop, and the page that tells a reader about them."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from twopart._checks import InputError
from twopart.laws.sampling import linear_moments, minibatch_noise, mode_moments, preconditioner, smoothing_eigenvalues
from twopart.learners.sampling import LangevinSmoothed, chains, smooth, verify
from twopart.worlds.posteriors import BayesianRegression
from twopart.worlds.spectra import spectrum
from twopart.worlds.targets import GaussianTarget

PAGE = Path(__file__).parents[3] / "docs" / "laws" / "laplacian-smoothing.md"


@pytest.mark.parametrize("d", [1, 2, 7, 8])
@pytest.mark.parametrize("power", [1.0, 0.5])
def test_smoothing_is_the_dense_solve(d, power):
    x = torch.randn(3, d, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    L = -2 * np.eye(d)
    for i in range(d):
        L[i, (i + 1) % d] += 1
        L[i, (i - 1) % d] += 1
    values, vectors = np.linalg.eigh(np.eye(d) - 0.9 * L)
    inverse = torch.from_numpy(vectors * values**-power @ vectors.T)
    found = smooth(x, 0.9, power, dim=1)
    assert torch.allclose(found, torch.einsum("ij,njk->nik", inverse, x))
    assert torch.allclose(smooth(smooth(x, 0.9, 0.5, 1), 0.9, 0.5, 1), smooth(x, 0.9, 1.0, 1))
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.float16, 2e-3), (torch.bfloat16, 2e-2)):
        low = smooth(x.to(dtype), 0.9, power, dim=1)
        assert low.dtype == dtype
        assert torch.allclose(low.double(), found, atol=tolerance, rtol=tolerance)
    assert torch.equal(smooth(x, 0.0), x)


@pytest.mark.parametrize(("sigma", "variant"), [(1.5, "langevin"), (0.0, "published")])
def test_chains_keep_the_law(sigma, variant, size):
    """Mean and variance in every mode, gradients noisy; false alarms once in a million."""
    d, C, k, c, η = 8, size(20_000, 400_000), 12, 5.0, 0.08
    h, random = spectrum("field", d), torch.Generator().manual_seed(1)
    target = GaussianTarget.circulant(h)

    def score(x):
        return target.score(x) + c**0.5 * torch.randn(x.shape, generator=random, dtype=x.dtype)

    start = torch.zeros(C, d, dtype=torch.float64)
    start[:, 0] = d**0.5
    x = chains(score, start, η, k, sigma, thin=k, generator=random, variant=variant)[-1].numpy()
    law = mode_moments(h, sigma, η, k, noise=c, variant=variant)
    z = x @ np.fft.fft(np.eye(d), norm="ortho").T
    mean, variance = z.mean(0), np.square(np.abs(z - z.mean(0))).mean(0)
    assert (np.abs(mean - law.mean) < 5.5 * np.sqrt(law.variance / C)).all()
    assert (np.abs(variance / law.variance - 1) < 5.5 * np.sqrt(2 / C)).all()


def test_blackjax_keeps_it_too(size):
    """Its SGLD and plain chains, at one step, temperature and target: both have the law, and so each other's moments."""
    import blackjax
    import jax

    d, C, k, η, T = 8, size(6_000, 200_000), 20, 0.05, 0.5
    h, start = spectrum("field", d), np.arange(d) / 4
    target = GaussianTarget.circulant(h)
    precision = target.precision.float().numpy()
    peer = blackjax.sgld(lambda x, batch: -x @ precision)

    @jax.jit
    def peers(x, seed):
        keys = jax.random.split(jax.random.key(seed), k)
        return jax.lax.scan(lambda x, key: (peer.step(key, x, None, η, T), None), x, keys)[0]

    x0, random = torch.from_numpy(start).float().repeat(C, 1), torch.Generator().manual_seed(6)
    ours = chains(target.score, x0, η, k, thin=k, temperature=T, generator=random)[-1].numpy()
    F = np.fft.fft(np.eye(d), norm="ortho")
    law = mode_moments(h, 0.0, η, k, mean=F @ start)
    means, spreads = [], []
    for x in (ours, np.asarray(peers(x0.numpy(), 7))):
        z = x @ F
        means.append(z.mean(0))
        spreads.append(np.mean(np.square(np.abs(z - means[-1])).mean(0) / (T * law.variance)))
        assert (np.abs(means[-1] - law.mean) < 5.5 * np.sqrt(T * law.variance / C)).all()
        assert abs(spreads[-1] - 1) < 5.5 * np.sqrt(2 / (C * d))  # 3.6 %
    assert (np.abs(means[0] - means[1]) < 5.5 * np.sqrt(2 * T * law.variance / C)).all()
    assert abs(spreads[0] - spreads[1]) < 5.5 * np.sqrt(4 / (C * d))


def test_minibatches_keep_the_law(size):
    target, C, b = BayesianRegression.drawn(60, 4, seed=2), size(20_000, 400_000), 3
    H, μ = target.precision.numpy(), target.mean.numpy()
    η, random = 0.2 / np.linalg.eigvalsh(H)[-1], torch.Generator().manual_seed(3)

    def score(x):
        return target.minibatch_score(x, torch.randint(60, (len(x), b), generator=random))

    x = chains(score, torch.zeros(C, 4).double(), η, 25, 1.0, thin=25, generator=random)[-1].numpy() - μ
    noise = minibatch_noise(target.x.numpy(), target.y.numpy(), μ, b)
    law = linear_moments(H, -μ, learning_rate=η, steps=25, precondition=preconditioner(4, 1.0), noise=noise)
    spread = np.einsum("ni,nj->nij", x, x)
    expected = law.covariance[0] + np.outer(law.mean[0], law.mean[0])
    assert (np.abs(x.mean(0) - law.mean[0]) < 5.5 * x.std(0) / np.sqrt(C)).all()
    assert (np.abs(spread.mean(0) - expected) < 5.5 * spread.std(0) / np.sqrt(C)).all()


def test_a_step_of_chains_is_the_equation():
    d, η, σ = 5, 0.1, 0.7
    x0 = torch.arange(10.0, dtype=torch.float64).reshape(2, d)
    found = chains(lambda x: -(x**3), x0, η, 3, σ, generator=torch.Generator().manual_seed(5))
    random, P = torch.Generator().manual_seed(5), torch.from_numpy(preconditioner(d, σ))
    values, vectors = torch.linalg.eigh(P)
    root, x = vectors @ values.sqrt().diag() @ vectors.T, x0
    for k in range(3):
        x = x - η * x**3 @ P + (2 * η) ** 0.5 * torch.randn(2, d, dtype=torch.float64, generator=random) @ root
        assert torch.allclose(found[k], x)
    cold = chains(lambda x: -x, x0, η, 4, σ, thin=2, temperature=0.0)
    assert cold.shape == (2, 2, d)
    step = torch.eye(d).double() - η * P
    assert torch.allclose(cold[1], x0 @ torch.linalg.matrix_power(step, 4))


def two_tensors(dtype=torch.float64):
    torch.manual_seed(0)
    module = nn.Linear(3, 4).to(dtype)
    x, y = torch.randn(6, 3, dtype=dtype), torch.randn(6, 4, dtype=dtype)
    (module(x) - y).square().mean().backward()
    return module


@pytest.mark.parametrize("order", ["flat", "tensor", "axis", "permuted"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_step_of_the_optimiser_is_the_equation(order, dtype):
    """At temperature 0 by dense algebra, in each order; the noise in the order's own coordinates."""
    module, σ, η, N, prior = two_tensors(dtype), 0.7, 0.01, 6.0, 0.5
    old = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    g = {name: N * weight.grad + prior * weight.detach() for name, weight in module.named_parameters()}
    permutation = torch.tensor([3, 1, 0, 2, 11, 10, 5, 4, 7, 6, 9, 8])
    given = {"weight": permutation} if order == "permuted" else order
    LangevinSmoothed(module.named_parameters(), η, σ, N, prior, temperature=0.0, order=given).step()

    def solved(flat):
        return torch.from_numpy(preconditioner(flat.shape[-1], σ)).to(dtype) @ flat

    if order == "flat":
        both = solved(torch.cat([g["weight"].flatten(), g["bias"]]))
        expected = {"weight": both[:12].reshape(4, 3), "bias": both[12:]}
    elif order == "axis":
        expected = {"weight": torch.stack([solved(row) for row in g["weight"]])}
        expected["bias"] = solved(g["bias"])
    else:
        flat = g["weight"].flatten()
        moved = solved(flat)
        if order == "permuted":
            moved = torch.empty_like(flat)
            moved[permutation] = solved(flat[permutation])
        expected = {"weight": moved.reshape(4, 3), "bias": solved(g["bias"])}
    for name, weight in module.named_parameters():
        assert torch.allclose(weight, old[name] - η * expected[name], atol=1e-6 if dtype == torch.float32 else 1e-12)
        assert weight.dtype == dtype


@pytest.mark.parametrize("variant", ["langevin", "published"])
def test_the_noise_of_a_step(variant):
    """Covariance 2 η T A^{-1} in the rows of a tensor; the published code's, draw by draw, is η times that of tensors.

    It leaves small tensors alone.
    """
    η, σ, T, d, n = 0.05, 1.2, 0.5, 6, 20_000 if variant == "langevin" else 30

    def moved(order, variant, shape):
        weights = [nn.Parameter(torch.zeros(shape, dtype=torch.float64)), nn.Parameter(torch.zeros(2).double())]
        for weight in weights:
            weight.grad = torch.zeros_like(weight)
        random = torch.Generator().manual_seed(4)
        LangevinSmoothed(weights, η, σ, temperature=T, order=order, generator=random, variant=variant).step()
        return [weight.detach() for weight in weights]

    if variant == "published":
        (x, small), (whole, _) = (moved("tensor", kind, (n, d)) for kind in (variant, "langevin"))
        assert torch.allclose(x, η * whole, rtol=1e-12)
        assert not small.any()
        return
    x = moved("axis", variant, (n, d))[0].numpy()
    expected = 2 * η * T * preconditioner(d, σ)
    error = np.sqrt((expected**2 + np.outer(np.diag(expected), np.diag(expected))) / n)
    assert (np.abs(x.T @ x / n - expected) < 5.5 * error).all()
    assert (np.abs(1.06 * np.diag(x.T @ x) / n - np.diag(expected)) > 5 * np.diag(error)).any()


def test_the_published_code_does_not_smooth_the_prior():
    module = two_tensors()
    for weight in module.parameters():
        weight.grad.zero_()
    old = module.weight.detach().clone()
    LangevinSmoothed(module.parameters(), 0.1, 1.0, prior_precision=0.5, temperature=0.0, variant="published").step()
    assert torch.allclose(module.weight, old * 0.95)


def test_optimisers_verify():
    """1 for samplers, whatever the smoothing; η² and half of it show, and so does a scale that was forgotten."""
    assert verify() == pytest.approx(1, abs=0.05)
    assert verify(LangevinSmoothed, sigma=0.0, steps=250) == pytest.approx(1, abs=0.05)
    assert verify(LangevinSmoothed, variant="published", order="axis", steps=100) < 0.05
    assert (
        verify(
            lambda p, lr, scale, generator: LangevinSmoothed(p, lr / 2, 0, scale / 2, generator=generator), steps=200
        )
        > 1.5
    )


def test_it_behaves_as_an_optimiser():
    module = two_tensors()
    optimizer = LangevinSmoothed([{"params": [module.weight], "sigma": 0.0}, {"params": module.bias}], lr=0.1)
    again = LangevinSmoothed([{"params": [module.weight]}, {"params": module.bias}], lr=0.5)
    again.load_state_dict(optimizer.state_dict())
    assert [group["lr"] for group in again.param_groups] == [0.1, 0.1]
    assert [group["sigma"] for group in again.param_groups] == [0.0, 1.0]
    torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    assert optimizer.step(lambda: 3.0) == 3.0
    module.weight.grad = None
    old = module.weight.detach().clone()
    optimizer.step()
    assert torch.equal(module.weight, old)


@pytest.mark.parametrize("block", range(2))
def test_the_page_runs(block):
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[block]
    assert len([line for line in code.splitlines() if line and not line.startswith(("import", "from"))]) <= 10
    torch.manual_seed(0)
    names: dict = {}
    exec(code.replace("2000", "300").replace("1000", "150") if block == 0 else code, names)
    if block == 0:
        right = (names["chance"] > 0.5) == (names["y"] > 0.5)
        assert right.float().mean() > 0.95
    else:
        assert 1 < names["sigma"] < 6
        assert names["h"].numpy() == pytest.approx(spectrum("field", 32), rel=5.5 * np.sqrt(2 / 5000))
        assert names["x"].shape == (1000, 32)


X0 = torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: smooth([1.0], 1.0), "`x` must be a tensor of floats, got 'list'"),
        (lambda: smooth(torch.ones(3).long(), 1.0), "`x` must be a tensor of floats, got 'torch.int64'"),
        (lambda: smooth(torch.tensor(1.0), 1.0), "`x` must be a tensor with a dimension"),
        (lambda: smooth(X0, -1.0), "`sigma` must be"),
        (lambda: smooth(X0 / 0, 1.0), "`x` must be finite"),
        (lambda: smooth(X0, 1.0, dim=2), "`x` must be a tensor with a dimension 2"),
        (lambda: smooth(X0, 1.0, dim=0.5), "`x` must be a tensor with a dimension 0.5"),
        (lambda: LangevinSmoothed(None, 0.1), "`params` must be parameters"),
        (lambda: verify(None), "`optimizer_class` must be a function"),
        (lambda: chains(None, X0, 0.1, 3), "`score` must be a function"),
        (lambda: verify(steps=0), "`steps` must be"),
        (lambda: LangevinSmoothed([], 0.1), "`params` must be one parameter"),
        (lambda: LangevinSmoothed([{"params": nn.Parameter(X0), "lr": -1.0}], 0.1), "`lr` must be"),
        (lambda: LangevinSmoothed([nn.Parameter(X0)], 0.1, order=None), "`order` must be one of"),
        (lambda: chains(lambda x: -x, X0[0], 0.1, 3), r"`x0` must be a tensor of floats \(n, d\), got \(3,\)"),
        (lambda: chains(lambda x: -x, X0 * torch.nan, 0.1, 3), "`x0` must be finite"),
        (lambda: chains(lambda x: x[0], X0, 0.1, 3), r"`score` must be a tensor of shape \(2, 3\), got \(3,\)"),
        (lambda: chains(lambda x: -x, X0, 0.0, 3), "`lr` must be"),
        (lambda: chains(lambda x: -x, X0, 0.1, 3, thin=4), r"`thin` must be a whole number in \[1, 3\], got 4"),
        (lambda: chains(lambda x: -x, X0, 1e30, 9), "`score` must be finite, got .* take smaller steps"),
        (lambda: chains(lambda x: -x, X0, 0.1, 3, variant="x"), "`variant` must be one of"),
        (lambda: LangevinSmoothed([nn.Parameter(X0)], 0.1, -1.0), "`sigma` must be"),
        (lambda: LangevinSmoothed([nn.Parameter(X0)], float("nan")), "`lr` must be"),
        (lambda: LangevinSmoothed([nn.Parameter(X0)], 0.1, scale=0), "`scale` must be"),
        (lambda: LangevinSmoothed([nn.Parameter(X0)], 0.1, temperature=-1), "`temperature` must be"),
        (lambda: LangevinSmoothed([nn.Parameter(X0)], 0.1, order="rows"), "`order` must be one of"),
        (lambda: LangevinSmoothed([nn.Parameter(X0)], 0.1, order={"w": torch.arange(6)}), "`order` must be by names"),
        (
            lambda: LangevinSmoothed([("w", nn.Parameter(X0))], 0.1, order={"w": torch.arange(5)}),
            "a permutation of 0..5 for w",
        ),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_the_mean_factor_of_the_theorems():
    assert smoothing_eigenvalues(4, 0.5) == pytest.approx([1, 2, 3, 2])
