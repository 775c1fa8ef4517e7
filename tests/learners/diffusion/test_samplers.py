"""Samplers against the exact law of Gaussian data, against diffusers' schedulers, and from clock to clock."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from twopart._checks import InputError
from twopart.laws.gaussian_flow import gaussian_flow
from twopart.learners.diffusion import guided, pure_noise, sample
from twopart.worlds.noise import DDPM, OU, VE, Flow, grid
from twopart.worlds.noised import noised, oracle
from twopart.worlds.targets import GaussianTarget, MixtureTarget

CLOCKS = {"ou": OU(), "ve": VE(), "flow": Flow(), "ddpm": DDPM(tuple(np.linspace(1e-3, 0.4, 40)))}
MEAN, VARIANCE = np.array([1.5, -0.5]), np.array([0.25, 2.0])
MIXTURE = MixtureTarget([0.3, 0.7], [[-1.0, 0.5], [1.0, 0.0]], scales=[0.3, 0.2])
SOLVERS = [("euler", 0.0), ("euler", 1.3), ("heun", 0.0), ("heun", 1.0), ("ddim", 0.0), ("ddim", 1.0)]


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize(("solver", "churn"), SOLVERS)
@pytest.mark.parametrize("prediction", ["score", "eps", "x0", "v"])
def test_on_gaussian_data_moments_are_the_laws(clock, solver, churn, prediction, size):
    """Five steps, so that what each solver does to a coefficient is seen."""
    noise, n = CLOCKS[clock], size(4_000, 200_000)
    times = grid(noise, 5, (-2.0, 3.0))
    start = pure_noise(noise, times, (n, 2), generator=draws(), dtype=torch.float64)
    perfect = oracle(GaussianTarget(1 / VARIANCE, MEAN), noise, prediction)
    x = sample(
        perfect, noise, times, start, prediction=prediction, solver=solver, churn=churn, generator=draws(1)
    ).numpy()
    law = gaussian_flow(MEAN, VARIANCE, times, noise, solver=solver, churn=churn)
    assert (np.abs(x.mean(0) - law.mean[-1]) < 5.5 * np.sqrt(law.variance[-1] / n)).all()
    assert (np.abs(x.var(0) / law.variance[-1] - 1) < 5.5 * np.sqrt(2 / n)).all()


@pytest.mark.parametrize("churn", [0.0, 1.0])
@pytest.mark.parametrize("solver", ["heun", "ddim"])
def test_a_perfect_denoiser_samples_the_noised_mixture(solver, churn):
    noise, n = OU(), 10_000
    times = grid(noise, 40 if solver == "heun" else 120, (-9.0, 6.0))
    start = pure_noise(noise, times, (n, 2), generator=draws(), dtype=torch.float64)
    x = sample(oracle(MIXTURE, noise, "eps"), noise, times, start, solver=solver, churn=churn, generator=draws(1))
    law = noised(MIXTURE, times[-1], noise)
    spread = law.covariance.diag()
    assert ((x.mean(0) - law.mean).abs() < 5.5 * (spread / n).sqrt() + 0.005).all()
    assert torch.allclose(x.T.cov(), law.covariance, rtol=0.05, atol=0.02)
    assert float((x[:, 0] < 0).double().mean()) == pytest.approx(0.3, abs=0.02)


def test_clocks_differ_in_scale_alone():
    """At equal log SNR the same draws give the same points over a, whatever the clock: eps is a function of x/a and log SNR."""
    found = {}
    for name, noise in CLOCKS.items():
        times = grid(noise, 12, (-5.0, 4.0))
        start = pure_noise(noise, times, (50, 2), generator=draws(), dtype=torch.float64) / noise.scale(times[0])
        start = start * noise.scale(times[0])
        x = sample(oracle(MIXTURE, noise, "eps"), noise, times, start, solver="ddim", churn=0.5, generator=draws(1))
        found[name] = x / noise.scale(times[-1])
    for name in CLOCKS:
        assert torch.allclose(found[name], found["ve"], rtol=1e-6, atol=1e-8), name


def test_the_ode_runs_back():
    noise, x = OU(), MIXTURE.sample(100)
    times = grid(noise, 200, (-9.0, 4.0))
    back = sample(oracle(MIXTURE, noise, "eps"), noise, times.flip(0), x, solver="heun")
    again = sample(oracle(MIXTURE, noise, "eps"), noise, times, back, solver="heun")
    assert float((again - x).abs().max()) < 0.01


def test_heun_comes_to_the_path_of_an_adaptive_solver():
    """scipy's Dormand-Prince of order 8; the error falls by four where steps are halved."""
    noise, x = VE(), 5 * torch.randn(10, 2, generator=draws(), dtype=torch.float64)
    perfect, ends = oracle(MIXTURE, noise, "eps"), grid(noise, 1, (-3.0, 5.0)).tolist()

    def slope(t, y):
        return perfect(torch.from_numpy(y).reshape(10, 2), t).numpy().ravel()

    path = solve_ivp(slope, ends, x.numpy().ravel(), "DOP853", rtol=1e-9, atol=1e-11).y[:, -1].reshape(10, 2)
    grids = [grid(noise, n, (-3.0, 5.0)) for n in (50, 100)]
    errors = [np.abs(sample(perfect, noise, times, x).numpy() - path).max() for times in grids]
    assert errors[1] < 2e-3
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_points_keep_their_type_and_are_seen(dtype):
    noise, seen = OU(), []
    times = grid(noise, 4, (-3.0, 3.0))
    start = pure_noise(noise, times, (3, 1, 2, 2), generator=draws(), dtype=dtype)
    x = sample(lambda x, t: x, noise, times, start, on_step=lambda i, x: seen.append((i, x.dtype)))
    assert (x.dtype, x.shape) == (dtype, start.shape)
    assert seen == [(i, dtype) for i in (1, 2, 3, 4)]


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_an_exact_classifier_guides_to_its_class(weight):
    """With Bayes' own classifier of the noised mixture, guidance at scale 1 is the score of one component."""
    noise, x = OU(), torch.randn(20, 2, generator=draws(), dtype=torch.float64)

    def first(x, t):
        return noised(MIXTURE, t, noise).responsibilities(x)[:, 0].log()

    for t in (torch.tensor(0.1), torch.tensor(1.0)):
        found = guided(oracle(MIXTURE, noise, "eps"), noise, first, weight)(x, t.double())
        one = MixtureTarget([1.0], [[-1.0, 0.5]], scales=0.3)
        assert torch.allclose(found, oracle(one if weight else MIXTURE, noise, "eps")(x, t.double()))


@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
def test_ddim_is_that_of_diffusers(eta):
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDIMScheduler(100, beta_start=1e-3, beta_end=0.06, clip_sample=False)
    scheduler.set_timesteps(10)
    noise = DDPM(tuple(scheduler.betas.double().tolist()))
    perfect, random = oracle(MIXTURE, noise, "eps"), draws(1)
    start = torch.randn(200, 2, generator=draws(), dtype=torch.float64)
    theirs, steps = start, scheduler.timesteps.tolist()
    for k in steps[:-1]:  # the last goes to a time without noise
        fresh = torch.randn(theirs.shape, generator=random, dtype=torch.float64) if eta else None
        eps = perfect(theirs, float(k + 1))
        theirs = scheduler.step(eps, k, theirs, eta=eta, variance_noise=fresh).prev_sample
    times = torch.tensor(steps, dtype=torch.float64) + 1
    ours = sample(perfect, noise, times, start, solver="ddim", churn=eta, generator=draws(1))
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_churn_one_is_the_ancestral_sampler_of_diffusers():
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDPMScheduler(40, beta_start=1e-3, beta_end=0.2, clip_sample=False)
    noise = DDPM(tuple(scheduler.betas.double().tolist()))
    perfect, random = oracle(MIXTURE, noise, "eps"), draws(1)
    theirs = start = torch.randn(200, 2, generator=draws(), dtype=torch.float64)
    for k in range(39, 0, -1):
        theirs = scheduler.step(perfect(theirs, float(k + 1)), k, theirs, generator=random).prev_sample
    times = torch.arange(40, 0, -1, dtype=torch.float64)
    ours = sample(perfect, noise, times, start, solver="ddim", churn=1.0, generator=draws(1))
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # NumPy's, of diffusers
@pytest.mark.parametrize(
    ("name", "solver", "churn"),
    [("EulerDiscrete", "euler", 0.0), ("HeunDiscrete", "heun", 0.0), ("EulerAncestralDiscrete", "ddim", 1.0)],
)
def test_samplers_are_those_of_k_diffusion_as_diffusers_has_them(name, solver, churn):
    diffusers = pytest.importorskip("diffusers")
    scheduler = getattr(diffusers, f"{name}Scheduler")(40, beta_start=1e-3, beta_end=0.2)
    scheduler.set_timesteps(10)
    clock, how = VE(), {"generator": draws(1)} if churn else {}
    perfect, sigmas = oracle(MIXTURE, clock, "eps"), scheduler.sigmas.double()
    theirs = start = sigmas[0] * torch.randn(200, 2, generator=draws(), dtype=torch.float64)
    for k, t in enumerate(scheduler.timesteps[:-1]):  # the last goes to a time without noise
        scheduler.scale_model_input(theirs, t)
        theirs = scheduler.step(perfect(theirs, sigmas[k]), t, theirs, **how).prev_sample
    times = sigmas.unique().flip(0)[:-1]  # for Heun's method each stands there twice
    ours = sample(perfect, clock, times, start, solver=solver, churn=churn, generator=draws(1))
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5)


TIMES = grid(OU(), 4, (-3.0, 3.0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"solver": "rk4"}, "`solver` must be one of 'euler', 'heun', 'ddim', got 'rk4'"),
        ({"prediction": "noise"}, "`prediction` must be one of"),
        ({"churn": -1.0}, r"`churn` must be a number in \[0, inf\]"),
        ({"churn": 2.0, "solver": "ddim"}, r"`churn` must be a number in \[0, 1\]"),
        ({"churn": 1.0, "times": TIMES.flip(0)}, "`churn` must be 0 where times rise"),
        ({"times": TIMES[:1]}, "`times` must be falling, or rising, and two or more"),
        ({"times": torch.tensor([2.0, 0.0])}, "`times` must be where there is signal and noise"),
        ({"times": torch.tensor([2.0, float("nan")])}, "`times` must be finite"),
        ({"start": torch.full((2, 2), float("nan"))}, "`start` must be finite"),
        ({"start": np.zeros((2, 2))}, "`start` must be a torch tensor"),
        ({"start": torch.tensor(1.0)}, "`start` must be of shape"),
        ({"predict": lambda x, t: x[:, :1]}, r"`predict` must be one that .* of shape \(2, 2\), got \(2, 1\)"),
        ({"predict": lambda x, t: (x,)}, "`predict` must be one that answers with a tensor .*, got 'tuple'"),
        ({"predict": lambda x, t: x * torch.nan}, "`predict` must be finite to the end"),
        ({"predict": guided(lambda x, t: x, OU(), lambda x, t: torch.zeros(2))}, "`log_prob` must be differentiable"),
    ],
)
def test_refusals(change, said):
    given = {"predict": lambda x, t: x, "noise": OU(), "times": TIMES, "start": torch.zeros(2, 2)} | change
    with pytest.raises(InputError, match=said):
        sample(**given)
