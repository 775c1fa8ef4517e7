"""Consistency distillation: against the law of its chain, the exact map of Gaussians, dense kernels, and anybody's networks."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from scipy.linalg import expm

from twopart._checks import InputError
from twopart.laws.diffusion.random_features import chain
from twopart.laws.gaussian_flow import gaussian_flow
from twopart.learners.diffusion import (
    Consistency,
    ConvDenoiser,
    MLPDenoiser,
    RandomFeatureDenoiser,
    consistency_distill,
    distillation_clock,
    levels,
    sample,
    train_test_gap,
    wrap,
)
from twopart.learners.diffusion.samplers import noised_points, reach, step
from twopart.learners.schedules import Constant
from twopart.worlds.noise import OU, VE, grid
from twopart.worlds.noised import oracle
from twopart.worlds.targets import GaussianTarget

CLOCK, TIMES = OU(), torch.tensor([0.35, 0.12, 0.05]).double()
POINTS = torch.randn(6, 3, generator=torch.Generator().manual_seed(3)).double()
OTHERS = torch.randn(200, 3, generator=torch.Generator().manual_seed(4)).double()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def features(skip="edm", p=12):
    return RandomFeatureDenoiser(3, CLOCK, TIMES, features=p, skip=skip, generator=seeded()).double()


@pytest.fixture(scope="module")
def teacher():
    return features().solve(POINTS, 1e4, samples=3000, generator=seeded(1))


def test_solving_is_descent_at_every_time():
    """Weights of `solve` against descent on the same draws; and a batch of times against one after the other."""
    model, rate = features("none"), 0.05
    solved = features("none").solve(POINTS, 40.0, samples=600, generator=seeded(1))
    random = seeded(1)
    for k, t in enumerate(TIMES):
        x, eps, _ = noised_points(POINTS, CLOCK, t, 600, random)
        φ, A = model.features(x), torch.zeros(3, 12).double()
        for _ in range(800):
            A = A - rate * (φ @ A.T - eps).T @ φ / len(x)
        assert torch.allclose(A, solved.weights[k], atol=2e-3 * float(A.abs().max()))
    when = TIMES[[0, 2, 1, 0, 2, 2]]
    alone = torch.stack([solved(x, t) for x, t in zip(POINTS, when, strict=True)])
    assert torch.allclose(solved(POINTS, when), alone)
    assert copy.deepcopy(solved).float()(POINTS.float(), when.float()).dtype == torch.float32


@pytest.mark.parametrize(
    ("weight", "ema", "init"), [("eps", 0.0, "fresh"), ("x0", 0.98, "teacher"), (lambda t: 1 + t, 0.0, "fresh")]
)
def test_students_follow_the_chain(teacher, weight, ema, init, size):
    """SGD with fresh noise, all levels at once, against the coupled law of its means, in the student's own map."""
    steps, rate, N = size(70, 2000), 4.0, 2
    law = levels(teacher, POINTS, samples=3000, weight=weight, generator=seeded(2))
    start = teacher.weights.detach().flip(0)[1:].numpy() if init == "teacher" else None
    γ = -math.log(ema) * N / rate if ema else None
    B = chain(law, [steps * rate / N], start=start, ema=γ)[:, 0]
    student = features()
    found = consistency_distill(
        teacher, student, POINTS, CLOCK, TIMES, steps=steps, ema=ema, weight=weight, init=init, rate=rate, batch=120,
        optimiser=torch.optim.SGD, schedule=Constant(0), generator=seeded(5),
    )  # fmt: skip
    foretold = features()
    with torch.no_grad():
        foretold.weights[:2] = torch.from_numpy(B[::-1].copy())
        student.weights[2:] = 0
    for t in TIMES[:2]:
        x, _, _ = noised_points(POINTS, CLOCK, t, 4000, seeded(6))
        own, exact = found(x, t), Consistency(foretold, CLOCK, TIMES)(x, t)
        untaught = Consistency(features(), CLOCK, TIMES)(x, t)
        assert (own - exact).square().mean() < 1e-3 * (untaught - exact).square().mean() + 1e-4 * exact.square().mean()


@pytest.mark.parametrize("weight", ["eps", "x0", lambda t: 1 + t])
def test_levels_are_the_gradient_of_the_loss(teacher, weight):
    """On the same draws, of a student with any weights, the target held still: to rounding."""
    law, student, random = (
        levels(teacher, POINTS, samples=90, weight=weight, generator=seeded(8)),
        features(),
        seeded(8),
    )
    with torch.no_grad():
        student.weights[:] = torch.randn(student.weights.shape, generator=seeded(9))
    own, B = Consistency(student, CLOCK, TIMES), student.weights.detach().flip(0).numpy()
    for k, (below, t) in enumerate(zip(TIMES.flip(0)[:-1], TIMES.flip(0)[1:], strict=True)):
        x, _, _ = noised_points(POINTS, CLOCK, t, 90, random)
        aim = own(step(teacher, CLOCK, x, t, below), below).detach()
        w = {"x0": 1.0, "eps": 1 / (2 * reach(CLOCK, t, TIMES[-1]) ** 2)}.get(weight, 1 + t)
        (slope,) = torch.autograd.grad(w * (own(x, t) - aim).square().sum(1).mean(), student.weights)
        U, V, M, ρ, rate = law[k]
        assert np.allclose(-slope[1 - k].numpy(), rate * (V + ρ * B[k] @ M - B[k + 1] @ U), atol=1e-12)


class Slopes(torch.nn.Module):
    """eps = g x with a number for each time and coordinate: exact for Gaussians."""

    def __init__(self, times, d):
        super().__init__()
        self.times, self.g = times, torch.nn.Parameter(torch.full((len(times), d), 0.5).double())

    def forward(self, x, t):
        return self.g[(self.times - torch.as_tensor(t)[..., None]).abs().argmin(-1)] * x


@pytest.mark.parametrize(("solver", "clock"), [("ddim", OU()), ("heun", VE())])
def test_of_an_exact_gaussian_teacher_the_student_is_the_linear_map(solver, clock):
    """f* = √(v_t0/v_t) x, to the second order of Heun's steps; with DDIM's the slope of the exact recursion of its law."""
    v, times = np.array([1.5, 0.3]), grid(clock, 4, (-1.5, 1.5))
    target = GaussianTarget(1 / v)

    def drawn(n, generator):
        return target.sample(n, int(torch.randint(10**9, (), generator=generator)))

    student = consistency_distill(
        oracle(target, clock, "eps"), Slopes(times, 2), drawn, clock, times, steps=150, teacher_solver=solver, ema=0.0,
        rate=0.1, batch=64, generator=seeded(),
    )  # fmt: skip
    found = student(torch.ones(1, 2).double(), times[0])[0].detach().numpy()
    if solver == "ddim":
        flow = gaussian_flow(np.zeros(2), v, times.numpy(), clock, solver="ddim", start=(np.zeros(2), np.ones(2)))
        assert np.allclose(found, np.sqrt(flow.variance[-1]), rtol=2e-3)
    else:
        total = [float(clock.scale(t)) ** 2 * v + float(clock.std(t)) ** 2 for t in (times[0], times[-1])]
        assert np.allclose(found, np.sqrt(total[1] / total[0]), rtol=0.02)
        along = torch.ones(1, 2).double()
        for now, then in itertools.pairwise(times):
            along = step(oracle(target, clock, "eps"), clock, along, now, then, "heun")
        assert np.allclose(found, along[0].numpy(), rtol=2e-3)


def test_a_step_is_that_of_the_sampler_and_of_second_order():
    """DDIM's to rounding, times by the point too; Heun's error falls by four where steps are halved."""
    target, x = GaussianTarget([1 / 1.5, 2.0]), OTHERS[:8, :2]
    score = oracle(target, CLOCK, "score")
    score.prediction = "score"
    eps = oracle(target, CLOCK, "eps")
    t, to = torch.tensor(0.5).double(), torch.tensor(0.2).double()
    own = step(score, CLOCK, x, t, to)
    assert torch.allclose(own, sample(eps, CLOCK, torch.stack([t, to]), x, solver="ddim"))
    assert torch.allclose(step(eps, CLOCK, x, t.expand(8), to.expand(8)), own)
    law, errors = torch.tensor([1.5, 0.5]).double(), []
    for n in (4, 8):
        y, times = x, grid(CLOCK, n, (-2.0, 3.0))
        for now, then in itertools.pairwise(times):
            y = step(eps, CLOCK, y, now, then, "heun")
        ends = [CLOCK.scale(s) ** 2 * law + CLOCK.std(s) ** 2 for s in (times[0], times[-1])]
        errors.append(float((y - x * (ends[1] / ends[0]).sqrt()).norm()))
    assert 3 < errors[0] / errors[1] < 6


def test_samples_of_one_step_and_of_several(size):
    """Of a student that is exact for a Gaussian both have its law at the last time."""
    v, n = np.array([1.5, 0.3]), size(20_000, 10**6)
    times = grid(CLOCK, 6, (-6.0, 3.0))
    a, s = (part(times)[:, None] for part in (CLOCK.scale, CLOCK.std))
    total = a**2 * torch.from_numpy(v) + s**2
    model = Slopes(times, 2)
    with torch.no_grad():
        model.g[:] = ((total[-1] / total).sqrt() - a[-1] / a) / reach(CLOCK, times, times[-1])[:, None]
        model.g[-1] = 0
    exact = Consistency(model, CLOCK, times)
    for steps in (1, 2, 4):
        x = exact.sample((n, 2), steps, generator=seeded(), dtype=torch.float64)
        slack = 5 * (2 / n) ** 0.5 + (0.02 if steps == 1 else 0.0)  # noise alone starts the first: a² = .002
        assert np.allclose(x.var(0).numpy(), total[-1].numpy(), rtol=slack)
    assert exact.sample((2, 2), dtype=torch.float64).dtype == torch.float64


def test_samples_of_several_steps_are_those_of_diffusers():
    """A map in the parametrisation of Song et al. 2023, their steps and noise; EDM's skip here differs by σ_0/4σ_d at most."""
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.CMStochasticIterativeScheduler(4, sigma_min=0.01, sigma_max=9.0, clip_denoised=False)
    scheduler.set_timesteps(4)
    noise, times, random = VE(), scheduler.sigmas.double(), seeded()

    def network(x, σ):
        return torch.tanh(2 * x / (σ**2 + 0.25).sqrt())

    def eps(x, σ):
        skip, out = scheduler.get_scalings_for_boundary_condition(σ)
        return (x - skip * x - out * network(x, σ)) / (σ - times[-1])

    times[-2:] = times[-2:] * torch.tensor(
        [1.5, 1.0]
    )  # the last call is at the least noise, where it has nothing to do
    scheduler.sigmas = times
    theirs = times[0] * torch.randn(50, 2, generator=random)
    for t, σ in zip(scheduler.timesteps, times, strict=False):
        scheduler.scale_model_input(theirs, t)
        theirs = scheduler.step(network(theirs, σ), t, theirs, generator=random).prev_sample
    ours = Consistency(eps, noise, times).sample((50, 2), 4, generator=seeded())
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    own = RandomFeatureDenoiser(2, noise, times, skip="edm", data_std=0.5)
    σ = torch.logspace(-2, 1, 50).double()
    parts = zip(own.coefficients(σ, times[-1]), scheduler.get_scalings_for_boundary_condition(σ), strict=True)
    (skip, song), (out, other) = parts
    assert torch.allclose(out, -other)
    assert 0.9 * 0.01 / (4 * 0.5) < (skip - song).abs().max() < 1.05 * 0.01 / (4 * 0.5)


def test_gaps_are_what_they_are_by_hand(size):
    """Of a map c x: (c a - 1)² |x0|²/d + c² s² on each side; of eps = b x: b² a² |x0|²/d + (b s - 1)²."""
    n, t = size(60_000, 10**6), torch.tensor(0.3).double()
    a, s = float(CLOCK.scale(t)), float(CLOCK.std(t))
    held = 2 * OTHERS
    found = train_test_gap(lambda x, _: 0.7 * x, POINTS, held, CLOCK, t, samples=n, generator=seeded())
    for value, points in ((found.train, POINTS), (found.test, held)):
        exact = (0.7 * a - 1) ** 2 * float(points.square().mean()) + 0.49 * s**2
        assert value == pytest.approx(exact, abs=5 * 2 * exact / n**0.5)
    assert found.gap == found.test - found.train
    for kind, sign in (("eps", 1.0), ("score", -1 / s)):
        eps = train_test_gap(lambda x, _, c=sign: c * 0.4 * x, POINTS, held, CLOCK, t, prediction=kind, samples=n)
        exact = 0.16 * a**2 * float(held.square().mean()) + (0.4 * s - 1) ** 2
        assert eps.test == pytest.approx(sign**2 * exact, abs=5 * sign**2 * 2 * exact / n**0.5)


@pytest.mark.parametrize("weight", ["x0", "eps"])
def test_the_clock_of_a_linear_student_is_its_kernels(teacher, weight):
    """Lanczos' curves against the exponential of the whole tangent kernel, made column by column, on the same draws."""
    S, random = 24, seeded(7)
    clock = distillation_clock(
        teacher, features(), POINTS, OTHERS, CLOCK, TIMES, weight=weight, samples=S, products=40, generator=seeded(7)
    )
    rising = TIMES.flip(0)
    k = torch.randint(1, 3, (S,), generator=random)
    sets = [noised_points(part, CLOCK, rising[k], S, random) for part in (POINTS, POINTS, OTHERS)]
    model, blocks = features(), []
    for x, _, _ in sets:
        _, out = model.coefficients(rising[k], rising[0])
        φ = out[:, None] * model.features(x)
        blocks.append(torch.cat([φ * (k == level)[:, None] for level in (1, 2)], 1).detach())
    fit, *judged = blocks
    begin = [Consistency(model, CLOCK, TIMES)(x, rising[k]).detach() for x, _, _ in sets]
    aim = sets[0][0].clone()
    for i in range(S):
        for now, then in ((rising[j], rising[j - 1]) for j in range(int(k[i]), 0, -1)):
            aim[i : i + 1] = step(teacher, CLOCK, aim[i : i + 1], now, then).detach()
    w = 2 * torch.ones(S).double() if weight == "x0" else 1 / reach(CLOCK, rising[k], rising[0]).square()
    G = (fit.T * w) @ fit / S
    for i in (10, 60, 99):
        τ = clock.times[i]
        filtered = np.linalg.pinv(G.numpy()) @ (np.eye(len(G)) - expm(-G.numpy() * τ))
        moved = torch.from_numpy(filtered) @ ((fit.T * w) @ (aim - begin[0]) / S)
        for side, block, f, (_, _, x0) in zip((clock.train, clock.test), judged, begin[1:], sets[1:], strict=True):
            assert side[i] == pytest.approx(float((f + block @ moved - x0).square().mean()), rel=1e-4)
    assert str(clock).startswith("general from")


def test_the_clock_of_any_network_foretells_its_first_steps():
    """A network in float32: small steps of descent have the errors that were foretold."""
    torch.manual_seed(0)
    network, teacher = (
        MLPDenoiser(3, CLOCK, width=16, depth=1, skip="edm"),
        oracle(GaussianTarget(torch.ones(3)), CLOCK, "eps"),
    )
    points = POINTS.float()
    clock = distillation_clock(
        teacher, network, points, OTHERS.float(), CLOCK, TIMES, samples=1000, products=6, generator=seeded()
    )
    i = int(np.argmin(np.abs(clock.times - 2.0)))
    steps = round(clock.times[i] / 0.02)
    student = consistency_distill(
        teacher, network, points, CLOCK, TIMES, steps=steps, ema=0.0, rate=0.02, optimiser=torch.optim.SGD,
        schedule=Constant(0), batch=256, generator=seeded(),
    )  # fmt: skip
    gaps = [
        train_test_gap(student, points, OTHERS.float(), CLOCK, t, samples=4000, generator=seeded()) for t in TIMES[:2]
    ]
    assert np.mean([gap.test for gap in gaps]) == pytest.approx(clock.test[i], rel=0.1)


class Says(torch.nn.Module):
    """A user's module that answers as diffusers' do."""

    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x, t):
        return type("Out", (), {"sample": self.inner(x)})()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("metric", ["l2", "pseudo-huber"])
def test_images_and_modules_of_users(dtype, metric):
    x, seen = torch.randn(5, 1, 8, 8, dtype=dtype), []
    torch.manual_seed(0)
    for student in (ConvDenoiser(1, CLOCK, width=4).to(dtype), wrap(Says().to(dtype), prediction="v")):
        before = copy.deepcopy(student)
        found = consistency_distill(
            before, student, x, CLOCK, TIMES, steps=2, batch=3, metric=metric, teacher_solver="heun", init="teacher",
            on_step=lambda i, loss: seen.append((i, float(loss))),
        )  # fmt: skip
        assert found.module is student
        assert not torch.equal(next(student.parameters()), next(before.parameters()))
        assert found.sample((2, 1, 8, 8), 2, dtype=dtype).dtype == dtype
        assert torch.allclose(found(x, TIMES[-1]), x)
    assert [i for i, _ in seen] == [0, 1, 0, 1]
    assert all(math.isfinite(loss) for _, loss in seen)


def refused(**wrong):
    options = {"steps": 1, **wrong}
    return consistency_distill(
        options.pop("teacher", lambda x, t: x), options.pop("student", Slopes(TIMES, 3)), options.pop("data", POINTS), CLOCK,
        options.pop("times", TIMES), **options,
    )  # fmt: skip


NAN = torch.full((3, 3), torch.nan).double()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: refused(steps=0), "`steps` must be"),
        (lambda: refused(batch=0), "`batch` must be"),
        (lambda: refused(ema=1.0), "`ema` must be"),
        (lambda: refused(rate=0.0), "`rate` must be"),
        (lambda: refused(metric="l1"), "`metric` must be one of"),
        (lambda: refused(weight="edm"), "`weight` must be one of"),
        (lambda: refused(init="half"), "`init` must be one of"),
        (lambda: refused(teacher_solver="euler"), "`teacher_solver` must be one of"),
        (lambda: refused(times=TIMES.flip(0)), "`times` must be falling"),
        (lambda: refused(times=torch.tensor([1.0, 0.0]).double()), "`times` must be where there is signal"),
        (lambda: refused(data=NAN), "`data` must be finite"),
        (lambda: refused(data=POINTS.numpy()), "`data` must be a torch tensor"),
        (lambda: refused(init="teacher"), "`teacher` must be a module of the student's shape"),
        (lambda: refused(init="teacher", teacher=Slopes(TIMES, 2)), "`teacher` must be a module of the student's shape"),
        (lambda: refused(teacher=lambda x, t: torch.nan * x), "`rate` must be small enough"),
        (lambda: Consistency(Slopes(TIMES, 3), CLOCK, TIMES).sample((2, 3), 3), "`steps` must be"),
        (lambda: train_test_gap(lambda x, t: x, POINTS, OTHERS, CLOCK, 0.1, samples=10), "`samples` must be"),
        (lambda: train_test_gap(lambda x, t: x, POINTS, OTHERS, CLOCK, -0.1), "`t` must be where there is signal"),
        (lambda: train_test_gap(lambda x, t: x, POINTS, NAN, CLOCK, 0.1), "`held_out` must be finite"),
        (lambda: train_test_gap(lambda x, t: x, POINTS, OTHERS, CLOCK, 0.1, prediction="x"), "`prediction` must be one of"),
        (lambda: features().solve(POINTS, -1.0), "`tau` must be"),
        (lambda: features().solve(NAN, 1.0), "`points` must be finite"),
        (lambda: features()(POINTS, 0.2), "`t` must be among the 3 times given"),
        (lambda: RandomFeatureDenoiser(3, CLOCK, TIMES, features=0), "`features` must be"),
        (lambda: RandomFeatureDenoiser(3, CLOCK, TIMES, skip="all"), "`skip` must be one of"),
        (lambda: levels(features(), NAN), "`points` must be finite"),
        (lambda: levels(Slopes(TIMES, 3), POINTS), "`teacher` must be a RandomFeatureDenoiser"),
        (lambda: levels(features(), POINTS, weight="edm"), "`weight` must be one of"),
        (lambda: distillation_clock(Slopes(TIMES, 3), features(), POINTS, NAN, CLOCK, TIMES), "`held_out` must be finite"),
        (lambda: distillation_clock(features(), features(), POINTS, OTHERS, CLOCK, TIMES, products=1), "`products` must"),
    ],
)  # fmt: skip
def test_refusals(call, said):
    with pytest.raises(InputError, match=said):
        call()
