"""Uniformisation against the law and against exact jumps by thinning; the quantiser and the training on data."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from twopart._checks import InputError
from twopart.laws.sampling import diffused, evaluations, flips, generated, learned, ratios, schedule
from twopart.laws.sampling.bit_diffusion import tv
from twopart.learners.sampling import BitDenoiser, Quantizer, on_all_states, posterior_ratios, train_bits, uniformize
from twopart.worlds.quantized import QuantizedTarget, digits
from twopart.worlds.targets import MixtureTarget

WORLD = QuantizedTarget(MixtureTarget([0.6, 0.4], [[-1.0], [1.5]], scales=0.5), 4, 3.0)
FLIPS = np.array([8, 4, 2, 1])
STATES = torch.from_numpy(digits(np.arange(16), 4))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def word_of(bits):
    return (bits.long() << torch.arange(bits.shape[1] - 1, -1, -1)).sum(1).numpy()


def chi2(found, law):
    """Pearson's statistic in standard deviations above its mean, over states expected 5 times or more."""
    n, many = len(found), len(found) * law >= 5
    expected = n * law[many]
    value = ((np.bincount(found, minlength=len(law))[many] - expected) ** 2 / expected).sum()
    return (value - many.sum()) / math.sqrt(2 * many.sum())


def by_jumps(q, horizon, stop, n, seed):
    """Gillespie with time-varying rates by thinning, one sample after the other, each at its own bound B coth u."""
    random, states, jumps = np.random.default_rng(seed), [], []
    for _ in range(n):
        x, u, count = int(random.integers(q.size)), horizon, 0
        while True:
            ahead = max(stop, 0.7 * u)  # rates rise as u falls: the bound at the end of a stretch holds in it
            bound = 4 / math.tanh(ahead)
            wait = random.exponential(1 / bound)
            u -= wait
            if u <= ahead:
                u = ahead
                if u == stop:
                    break
                continue
            mass = diffused(q, u)
            at = mass[x ^ FLIPS] / mass[x] / bound
            which = np.searchsorted(at.cumsum(), random.random(), side="right")
            if which < 4:
                x, count = x ^ (8 >> which), count + 1
        states.append(x)
        jumps.append(count)
    return np.array(states), np.array(jumps)


@pytest.mark.parametrize("rate", ["paper", "tight"])
def test_samples_and_counts_against_the_law(rate, size):
    n, segments = size(4000, 200_000), schedule(4, 1.5, 0.03, rate=rate)
    run = uniformize(WORLD.ratios, 4, n, segments, seeded())
    assert chi2(word_of(run.bits), generated(WORLD.mass, *segments.times)) < 5
    expected = evaluations(segments)
    assert run.evaluations.double().mean().item() == pytest.approx(expected, abs=5 * math.sqrt(expected / n))
    assert run.evaluations.double().var().item() == pytest.approx(expected, rel=5 * math.sqrt(2 / n) + 0.01), "Poisson"
    assert run.truncated.sum() == 0
    assert (run.jumps <= run.evaluations).all()


def test_flips_against_the_law(size):
    """From uniform, where q_T is as good as that, the count is B (T - δ) on average; its spread is measured."""
    n, segments = size(2000, 200_000), schedule(4, 4.0, 0.03)
    jumps = uniformize(WORLD.ratios, 4, n, segments, seeded(3)).jumps.double()
    expected = flips(4, *segments.times)
    assert jumps.mean().item() == pytest.approx(expected, abs=5 * jumps.std().item() / math.sqrt(n))


def test_against_exact_jumps(size):
    """Two samplers of the same chain: the share of every state, and the mean number of flips."""
    n, segments = size(200, 5000), schedule(4, 0.8, 0.1)
    states, jumps = by_jumps(WORLD.mass, *segments.times, n, seed=5)
    run = uniformize(WORLD.ratios, 4, 20 * n, segments, seeded(2))
    ours = np.bincount(word_of(run.bits), minlength=16) / (20 * n)
    theirs = np.bincount(states, minlength=16) / n
    assert (np.abs(ours - theirs) < 5 * np.sqrt(np.maximum(ours, 1 / n) * 1.05 / n)).all()
    assert run.jumps.double().mean().item() == pytest.approx(jumps.mean(), abs=5 * jumps.std() * math.sqrt(1.05 / n))


def test_forward_marginals_of_training():
    """What a model is shown: each bit differs with probability (1 - e^{-2u})/2."""
    seen = []

    class Spy(torch.nn.Linear):
        def forward(self, bits, remaining):
            seen.append((bits, remaining))
            return super().forward(bits.to(self.weight)) + 0 * remaining[:, None]

    clean = torch.ones(50, 6, dtype=torch.uint8)
    train_bits(Spy(6, 6), clean, 20, batch=5000, times="uniform", horizon=1.0, stop=0.1, generator=seeded())
    noisy, u = (torch.cat(part) for part in zip(*seen, strict=True))
    differ, expected = 1 - noisy.double(), (1 - torch.exp(-2 * u.double())) / 2
    assert u.min() >= 0.1
    assert u.max() <= 1.0
    for part in (u < 0.4, u >= 0.4):
        error = math.sqrt(0.25 / (6 * int(part.sum())))
        assert differ[part].mean().item() == pytest.approx(expected[part].mean().item(), abs=5 * error)


@pytest.fixture(scope="module")
def trained():
    """A network after 150 steps, and the losses."""
    torch.manual_seed(0)
    model = BitDenoiser(4, width=32)
    return model, train_bits(model, WORLD.sample(4000), 150, stop=0.02, horizon=1.5, generator=seeded())


def test_what_a_network_generates_keeps_to_its_bound(trained):
    model, losses = trained
    segments = schedule(4, 1.5, 0.1)
    found = learned(on_all_states(model.ratios, 4), WORLD.mass, *segments.times)
    assert losses[-50:].mean() < losses[:20].mean()
    assert found.kl <= found.bound
    assert tv(found.law, diffused(WORLD.mass, segments.times[1])) <= math.sqrt(found.kl / 2)
    run = uniformize(posterior_ratios(model), 4, 2000, segments, seeded())
    assert chi2(word_of(run.bits), found.law) < 5, "the law of a network's samples is the master equation's"
    assert run.truncated.sum() == 0


def test_both_losses_have_the_posterior_as_their_minimum(trained):
    """The exact posterior as logits of a table by time: every other table has a greater loss, of both kinds, in expectation."""
    q, u = WORLD.mass, 0.3
    p = (1 - math.exp(-2 * u)) / 2
    apart = (STATES[:, None] != STATES).sum(2).numpy()
    joint = p**apart * (1 - p) ** (4 - apart) * q  # of noisy row, clean column
    exact = joint @ STATES.double().numpy() / joint.sum(1, keepdims=True)

    def loss(kind, shift):
        odds = torch.from_numpy(np.log(exact / (1 - exact)) + shift)
        at = torch.from_numpy(joint).sum(1)
        if kind == "cross-entropy":
            truth = torch.from_numpy(exact)
            return -(at[:, None] * (truth * odds.sigmoid().log() + (1 - truth) * (-odds).sigmoid().log())).sum()
        s = posterior_ratios(lambda bits, remaining: odds)(STATES, torch.full((16,), u, dtype=torch.float64))
        return (at[:, None] * (s - torch.from_numpy(ratios(q, u)) * s.log())).sum()

    random = np.random.default_rng(0)
    for kind in ("cross-entropy", "score-entropy"):
        assert all(loss(kind, 0) < loss(kind, 0.1 * random.standard_normal((16, 4))) for _ in range(20))
    again, model = trained[1], BitDenoiser(4, width=32)
    other = train_bits(model, WORLD.sample(4000), 40, loss="score-entropy", stop=0.02, horizon=1.5, generator=seeded())
    assert other[-10:].mean() < other[:3].mean()
    assert not torch.equal(again[:40], other)


def test_free_ratios_are_truncated_and_counted():
    """Ten times too large: every event is truncated, and every one flips a bit."""
    segments = schedule(4, 1.0, 0.1)
    run = uniformize(lambda bits, u: torch.full(bits.shape, 1e4), 4, 200, segments, seeded())
    assert torch.equal(run.truncated, run.evaluations)
    assert torch.equal(run.jumps, run.evaluations)
    still = uniformize(lambda bits, u: torch.zeros(bits.shape), 4, 200, segments, seeded())
    assert still.jumps.sum() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("code", ["binary", "gray"])
def test_quantiser_there_and_back(dtype, code):
    x = torch.randn(200, 3, generator=seeded(), dtype=dtype)
    quantizer = Quantizer.fit(x, (3, 5, 2), code=code)
    bits = quantizer.encode(x)
    assert (bits.shape, bits.dtype, quantizer.total) == ((200, 10), torch.uint8, 10)
    width = torch.from_numpy((quantizer.upper - quantizer.lower) / 2.0 ** np.array(quantizer.bits))
    for back in (quantizer.decode(bits, dtype=dtype), quantizer.decode(bits, seeded(), dtype)):
        assert back.dtype == dtype
        assert ((back - x).abs() <= width * (1 + 1e-5)).all()
        assert torch.equal(quantizer.encode(back), bits)
    assert torch.equal(bits, quantizer.encode(x.numpy()))


def test_quantiser_of_levels_is_exact_and_cubes_have_their_radius():
    grey = np.random.default_rng(0).integers(0, 16, (50, 6))
    quantizer = Quantizer.levels(6, 4)
    assert quantizer.decode(quantizer.encode(grey)).numpy() == pytest.approx(grey)
    cube = Quantizer.fit(np.array([[3.0, 0.0], [-3.0, 0.1]]), 2, radius=2.0)
    assert cube.encode(np.array([[9.0, -1.9]])).tolist() == [[1, 1, 0, 0]]
    theorem = Quantizer.fit(np.array([[3.0, 0.0], [-3.0, 0.0]]), 2, radius="theorem", eps=0.1)
    assert theorem.upper == pytest.approx(3 * math.sqrt(2 * math.log(40)))
    drawn = Quantizer(np.zeros(1), np.ones(1), (1,)).decode(torch.zeros(4000, 1, dtype=torch.uint8), seeded())
    assert drawn.mean().item() == pytest.approx(0.25, abs=5 * 0.5 / math.sqrt(12 * 4000))


def spoil(part):
    for weight in part.parameters():
        weight.data.fill_(math.nan)


def test_same_seed_same_samples():
    def run():
        return uniformize(WORLD.ratios, 4, 50, schedule(4, 1.0, 0.1), seeded(7))

    assert all(torch.equal(a, b) for a, b in zip(run(), run(), strict=True))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Quantizer.fit(np.ones(3), 2), r"`x` must be of shape \(any, any\), got \(3,\)"),
        (lambda: Quantizer.fit(np.array([[1.0], [np.nan]]), 2), "`x` must be finite"),
        (lambda: Quantizer.fit(np.ones((3, 1)), 2), "`x` must be of several values"),
        (lambda: Quantizer.fit(np.eye(2), (2, 3, 4)), "`bits` must be one number, or one for each of 2"),
        (lambda: Quantizer.fit(np.eye(2), 2, radius=-1.0), "`radius` must be"),
        (lambda: Quantizer.fit(np.eye(2), 2, code="morse"), "`code` must be one of"),
        (lambda: Quantizer.levels(2, 3).decode(torch.full((1, 6), 2)), "`bits` must be 0 or 1"),
        (lambda: uniformize(WORLD.ratios, 4, 0, schedule(4, 1.0, 0.1)), "`n` must be"),
        (lambda: uniformize(WORLD.ratios, 4, 5, schedule(3, 1.0, 0.1)), "`segments` must be one of 4 bits"),
        (lambda: uniformize(lambda b, u: u, 4, 5, schedule(4, 1.0, 0.1)), r"`ratios` must be of shape \(\d, 4\)"),
        (lambda: uniformize(lambda b, u: b * math.nan, 4, 5, schedule(4, 1.0, 0.1)), "`ratios` must be .*finite"),
        (lambda: train_bits(BitDenoiser(4), STATES, 1, loss="mse"), "`loss` must be one of"),
        (lambda: train_bits(BitDenoiser(4), STATES, 1, stop=9.0), "`stop` must be"),
        (lambda: BitDenoiser(4)(STATES[:, :3], torch.ones(16)), r"`bits` must be a tensor of shape \(n, 4\)"),
        (lambda: BitDenoiser(4)(STATES, torch.ones(3)), r"`remaining` must be of shape \(16,\)"),
        (lambda: BitDenoiser(4)(STATES, -torch.ones(16)), r"`remaining` must be in \(0, inf\)"),
        (
            lambda: posterior_ratios(lambda b, u: torch.zeros(16, 3))(STATES, torch.ones(16)),
            "`logits` must be of shape",
        ),
        (lambda: uniformize(WORLD.ratios, 4, 5, [1.0, 0.1]), "`segments` must be one of 4 bits"),
        (lambda: Quantizer(np.ones(1), np.zeros(1), (2,)), "`upper` must be above `lower`"),
        (lambda: Quantizer(np.array([np.nan]), np.ones(1), (2,)), "`lower` must be finite"),
        (lambda: Quantizer(np.zeros(1), np.ones(1), 2), "`bits` must be a tuple"),
        (lambda: Quantizer.fit(np.eye(2), math.nan), "`bits` must be a whole number"),
        (lambda: uniformize(None, 4, 5, schedule(4, 1.0, 0.1)), "`ratios` must be a function"),
        (lambda: posterior_ratios(None), "`model` must be a function"),
        (lambda: train_bits(nn.Identity(), STATES, 1), "`model` must be a module with parameters"),
        (lambda: train_bits(BitDenoiser(4).apply(spoil), STATES, 1), "`logits` must be finite"),
        (lambda: on_all_states(lambda b, u: b * math.nan, 4)(0.5), "`ratios` must be"),
        (lambda: on_all_states(WORLD.ratios, 4)(math.nan), "`u` must be"),
        (lambda: on_all_states(WORLD.ratios, 30), "`bits` must be"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_modules_of_double_precision():
    model = BitDenoiser(4, width=8).double()
    losses = train_bits(model, STATES, 2, generator=seeded())
    assert np.isfinite(losses.numpy()).all()
    assert model(STATES, torch.full((16,), 0.1)).dtype == torch.float64
    assert uniformize(posterior_ratios(model), 4, 3, schedule(4, 0.5, 0.2), seeded()).bits.shape == (3, 4)
