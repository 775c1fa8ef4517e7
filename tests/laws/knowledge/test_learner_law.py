"""The learner's law and its memory: flows against ODEs, equations against ridge and taught memories, fits of planted runs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.special import expit
from scipy.stats import norm

from twopart import learners
from twopart.laws import data_law, knowledge, learner_law, memory_law
from twopart.laws.knowledge import (
    Facts,
    LearnerFit,
    LearnerRuns,
    StepSum,
    fit_learner,
    flow_bits,
    flow_margin,
    stranger_shares,
)
from twopart.laws.knowledge.learner import solve
from twopart.laws.knowledge.learner_flow import SIGMAS, STRENGTHS, flow_table, in_table
from twopart.learners.knowledge import AssociativeMemory, MemoryConfig, Recall, confidence_of_strangers, fact_ids, teach
from twopart.worlds import Attribute, Biographies, SyntaxKnowledge

V = 64
PAGE = Path(__file__).parents[3] / "docs/laws/learner-law.md"


def flow(z0, strength, steps):
    """Own logits after a flow from z0 (draws, V) to the strength, the first value being true, by Runge and Kutta."""
    a, h = np.zeros_like(z0), strength / steps

    def slope(a):
        p = np.exp(z0 + a - (z0 + a).max(1, keepdims=True))
        p /= -p.sum(1, keepdims=True)
        p[:, 0] += 1
        return p

    for _ in range(steps):
        k1 = slope(a)
        k2 = slope(a + h / 2 * k1)
        k3 = slope(a + h / 2 * k2)
        a = a + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(a + h * k3))
    return a


@pytest.mark.parametrize("values", [2, 11, 64])
def test_one_fact_alone_is_its_ode(values):
    at = [0.1, 2.0, 30.0]
    rate = lambda s, m: values / (values - 1 + np.exp(m))  # noqa: E731
    margin = solve_ivp(rate, (0, 30), [0.0], t_eval=at, rtol=1e-10, atol=1e-12, method="LSODA").y[0]
    assert flow_margin(at, values) == pytest.approx(margin, rel=1e-7)
    implicit = margin + np.expm1(margin) / (values - 1)
    assert implicit == pytest.approx(np.array(at) * values / (values - 1), rel=1e-7)
    assert flow_bits(at, values) == pytest.approx(np.log2(1 + (values - 1) * np.exp(-margin)), rel=1e-7)


def test_half_of_the_bits_are_left_at_the_published_strength():
    assert flow_bits(2.2878929, V) == pytest.approx(3.0, rel=1e-7)
    assert flow_bits(0.0, V) == pytest.approx(6.0)
    assert flow_bits(1e6, V) == pytest.approx((V - 1) / (V * 1e6 * np.log(2)), rel=1e-4)
    assert flow_bits(np.float32(1.0), V) == flow_bits(1.0, V)


@pytest.mark.parametrize(("sigma", "strength"), [(1.0, 1.0), (2.25, 12.0)])
def test_the_flow_through_noise_is_simulated(size, sigma, strength):
    g = np.random.default_rng(1).standard_normal((size(300, 3000), V))
    pairs = np.stack([flow(sigma * s * g, strength, 60) for s in (1, -1)])
    p = np.exp(sigma * np.stack([g, -g]) + pairs)
    found = {
        "spread": (pairs**2).sum(2),
        "response": -(pairs * np.stack([g, -g])).sum(2) / sigma,
        "bits": np.log2(p.sum(2) / p[:, :, 0]),
        "correct": p[:, :, 0] / p.sum(2),
        "confidence": p.max(2) / p.sum(2),
    }
    found["known"] = found["bits"] < 3
    found["right"] = p.argmax(2) == 0
    for name, values in found.items():
        each = values.mean(0)  # of a pair of opposite sign
        error = each.std() / np.sqrt(len(each))
        own = 0.12 if name == "confidence" else 0.04  # of the table, whose draws are few: see `flow_table`
        law = in_table(flow_table(V)[name], np.float64(strength), np.float64(sigma))
        assert law == pytest.approx(each.mean(), abs=5 * error, rel=own), name


def test_the_response_without_noise_is_a_derivative():
    """-Σ_j ∂a_j/∂z_j by differences: of the true value's own start, and of another's, for which V - 1 stand."""
    for strength in (0.5, 3.0, 40.0):
        start, h = np.zeros((4, V)), 1e-4
        start[0, 0], start[1, 0], start[2, 1], start[3, 1] = h, -h, h, -h
        a = flow(start, strength, 400)
        slopes = (a[0, 0] - a[1, 0]) + (V - 1) * (a[2, 1] - a[3, 1])
        law = in_table(flow_table(V)["response"], np.float64(strength), np.float64(0.0))
        assert law == pytest.approx(-slopes / (2 * h), rel=0.01)


def test_for_square_loss_both_equations_are_ridge_regression(size):
    """There a = (y - σg) s/(1+s), so A = (1 + σ²)(s/(1+s))² and Tr = s/(1+s); G is what leaving one out divides by."""
    part = STRENGTHS / (1 + STRENGTHS)
    tables = np.outer(1 + SIGMAS**2, part**2), np.outer(np.ones(len(SIGMAS)), part)
    p, told = 400, np.repeat([8.0, 2.0, 0.5], 100)
    state, random = np.empty((1, 2)), np.random.default_rng(2)
    own = (np.array([x]) for x in (1.0, float(p), np.inf, 0.0))
    solve(*tables, SIGMAS, told, np.ones(300), *own, state)
    noise, gain = [], []
    for _ in range(size(6, 40)):
        x, y = random.standard_normal((300, p)) / np.sqrt(p), random.choice([-1.0, 1.0], 300)
        inverse = np.linalg.inv(x @ x.T + np.diag(1 / told))  # w minimises Σ told (w.x - y)² + |w|²
        w = x.T @ (inverse @ y)
        noise.append(w @ w / p)
        gain.append(np.mean(1 / np.diag(inverse) - 1 / told))
    G, variance = state[0]
    assert variance == pytest.approx(np.mean(noise), rel=0.03)
    assert np.mean(gain) == pytest.approx(G, rel=0.02)


K = 1500
FREQUENCY = np.arange(1, K + 1) ** -1.5 / np.sum(np.arange(1, K + 1) ** -1.5)


def lesson(n, seed):
    """Facts told n times by their frequency, and all values."""
    random = np.random.default_rng(seed)
    return random.choice(K, n, p=FREQUENCY), random.integers(V, size=K)


def paid(memory, truth):
    """Expected bits of values."""
    logits = memory.logits(np.arange(K)).astype(float)
    return float(FREQUENCY @ (np.log2(np.exp(logits).sum(1)) - logits[np.arange(K), truth] / np.log(2)))


def wrong(memory, truth):
    """Probability that an answer drawn as the memory gives it is wrong."""
    p = np.exp(memory.logits(np.arange(K)).astype(float))
    return float(1 - FREQUENCY @ (p[np.arange(K), truth] / p.sum(1)))


def test_memories_are_on_the_law(size):
    """Value bits to 5 %, wrong drawn answers and noise to 10 %, on average over seeds: the law takes mean exposures.

    What is exact of the equations, ridge regression tests."""
    moments, facts = (6_000, 20_000), Facts(FREQUENCY, 1, V)
    for width in (32, 96):
        law = memory_law(facts, moments, width * V, nats=0.3)
        logs = []
        for seed in range(size(3, 16)):
            told, truth = lesson(moments[-1], seed)
            kept = teach(
                AssociativeMemory(MemoryConfig(V, width), seed), told, truth[told], rate=0.3, snapshots=moments
            )
            logs.append([(paid(m, truth), wrong(m, truth), m.noise) for m in kept.values()])
        value, drawn, noise = np.exp(np.log(logs).mean(0)).T
        assert value == pytest.approx(law.value, rel=0.05)
        assert drawn == pytest.approx(law.wrong_sampled, rel=0.1)
        assert noise == pytest.approx(law.noise, rel=0.1)


def test_strangers_noise_is_the_weights_square():
    told, truth = lesson(2000, 5)
    memory = teach(AssociativeMemory(MemoryConfig(V, 32), 5), told, truth[told], rate=0.3)[2000]
    logits = memory.logits(np.arange(10**6, 10**6 + 4000))
    each = np.square(logits, dtype=float).mean(1)
    assert memory.noise == pytest.approx(each.mean(), abs=5 * each.std() / np.sqrt(4000))


def test_with_room_for_everything_a_fact_is_alone():
    facts = Facts(FREQUENCY, 1, V)
    law = memory_law(facts, [[1e3], [1e5]], 1e15, nats=0.2)
    assert law.gain == pytest.approx(np.ones((2, 1)), abs=1e-6)
    assert law.noise == pytest.approx(np.zeros((2, 1)), abs=1e-6)
    q = np.array([1e-2, 1e-4])
    assert law.bits(q)[:, 0] == pytest.approx(flow_bits(0.2 * np.outer([1e3, 1e5], q), V), rel=0.01)
    assert law.half() * law.n * 0.2 == pytest.approx(np.full((2, 1), 2.2878929), rel=0.02)
    limited = memory_law(facts, 1e5, 1e15, nats=0.2, limit=3.0)
    assert limited.bits(1.0) == pytest.approx(flow_bits(1 / (1 / 2e4 + 1 / 3), V), rel=0.01)
    assert memory_law(facts, 1e5, 1e15, limit=1.0).half() == np.inf
    noisy = memory_law(facts, 0, 1e15, noise=2.0)
    assert noisy.stranger_bits == pytest.approx(6 + 2.0 / 2 / np.log(2), rel=0.03)
    assert noisy.stranger_confidence > 5 / V
    assert (noisy.known_facts, noisy.unknown) == (
        pytest.approx(0, abs=1e-6),
        pytest.approx(1 - float(noisy.known(0.0))),
    )


def test_with_room_for_everything_the_exponent_is_the_data_laws():
    world, n = SyntaxKnowledge(0.5, 1.0, (Attribute("city"),)), np.array([1e5, 1e7])
    value = memory_law(Facts.of_world(world, 1e7), n, 1e15, nats=0.3).value
    slopes = np.diff(np.log([value, data_law(world, n).value])) / np.log(100)
    assert slopes == pytest.approx(np.full((2, 1), -0.5), abs=0.02)


def test_crowding_makes_strangers_dear_and_takes_from_exposures():
    law = memory_law(Facts(FREQUENCY, 1, V), 1e5, V * np.array([8, 32, 512]), nats=0.3)
    assert np.all(np.diff(law.noise) < 0)
    assert np.all(np.diff(law.gain) > 0)
    assert np.all(np.diff(law.half()) < 0)
    assert np.all(np.diff(law.stranger_bits) < 0)
    assert np.all(np.diff(law.wrong_best) < 0)
    assert np.all(np.diff(law.known_facts) > 0)


STEPS = StepSum(0.01, 64, learners.InverseRoot(10, 40).factor)


@pytest.mark.parametrize("noise", [0.3, 3.0])
def test_strangers_are_answered_as_by_quadrature(noise):
    """Of two values the first is the better guess where a Gaussian of variance 2 σ² is below the log odds."""
    drawn, best = stranger_shares([0.8, 0.2], noise)
    nodes, weight = np.polynomial.hermite_e.hermegauss(80)
    odds, spread = np.log(4), np.sqrt(2 * noise)
    assert best == pytest.approx([norm.cdf(odds / spread), norm.sf(odds / spread)], abs=0.003)
    assert drawn[0] == pytest.approx(weight @ expit(odds + spread * nodes) / weight.sum(), abs=0.003)
    assert [drawn.sum(), best.sum()] == pytest.approx([1, 1])


def test_steps_are_summed():
    rates = [0.01 * learners.InverseRoot(10, 40).factor(u, 100) for u in range(100)]
    assert STEPS([0, 64, 6400]) == pytest.approx([0, rates[0], sum(rates)])
    assert STEPS(96) == pytest.approx(rates[0] + rates[1] / 2)
    falling = StepSum(0.01, 64, learners.Linear(0, 0.1).factor, sentences=6400)
    assert falling(3200) == pytest.approx(0.01 * sum(1 - 0.9 * u / 100 for u in range(50)))


def planted(nats=0.2, speed=0.5, seed=0):
    """Runs of a learner that keeps to the law, with 3 % of noise."""
    P, n = (x.ravel() for x in np.meshgrid([1000.0, 4000, 16_000], [3e3, 3e4], indexing="ij"))
    runs = LearnerRuns(Facts(FREQUENCY, 1, V), P, np.sqrt(P / 10), n, np.ones(6), STEPS)
    value = runs.law(nats, speed).value * np.exp(0.03 * np.random.default_rng(seed).standard_normal(6))
    return replace(runs, measured=value)


def test_planted_numbers_are_found_and_kept(tmp_path):
    fit = fit_learner(planted(), up_to=5000)
    assert (fit.nats, fit.speed) == (pytest.approx(0.2, rel=0.2), pytest.approx(0.5, rel=0.2))
    assert fit.misfit < 0.06
    assert fit.left_out < 0.12
    assert fit.interval["nats"][0] <= fit.nats <= fit.interval["nats"][1]
    assert set(fit.by_size) == {"1000", "4000", "16000"}
    assert fit.fitted == {"params": (1000.0, 4000.0), "sentences": (3e3, 3e4)}
    fit.save(tmp_path / "law.json")
    assert LearnerFit.load(tmp_path / "law.json") == fit
    (tmp_path / "law.json").write_text("{}")
    with pytest.raises(ValueError, match="holds no learner's law"):
        LearnerFit.load(tmp_path / "law.json")


def test_shares_of_known_facts_tell_the_numbers_too():
    runs = planted()
    q = np.geomspace(2e-3, 5e-2, 6)
    share = runs.law(0.2, 0.5).known(q).diagonal()
    found = fit_learner(replace(runs, frequency=q, measured=share), resamples=10)
    assert found.misfit < 0.02
    assert found.left_out is None


def test_the_law_of_a_transformer_is_that_of_a_limited_memory():
    world = Biographies().world(0.5, 1)
    law = learner_law(world, [1e4, 1e5], 5648, 16, nats=0.167, speed=0.4, steps=STEPS)
    same = memory_law(Facts.of_world(world, 1e5), [1e4, 1e5], 5648, nats=0.167, limit=0.4 * 16 * STEPS([1e4, 1e5]))
    assert law.value == pytest.approx(same.value)
    assert law.unknown == pytest.approx(same.unknown)


@pytest.mark.parametrize("step", ["sgd", "adam"])
@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_teaching_is_what_torch_does(step, shared):
    told, truth = lesson(300, 1)
    memory = AssociativeMemory(MemoryConfig(V, 16, shared), 3)
    schedule = learners.InverseRoot(2, 5)
    found = teach(memory, told, truth[told], step=step, rate=0.05, schedule=schedule, batch=32, snapshots=(64,))
    assert list(found) == [64, 300]
    W, scale = torch.zeros(16, V, requires_grad=True), 4.0 if step == "adam" else 1.0
    make = torch.optim.SGD if step == "sgd" else lambda p, lr: torch.optim.Adam(p, lr, betas=(0.9, 0.99))
    optimiser, x, y = make([W], lr=0.05), torch.tensor(memory.keys(told)) * scale, torch.tensor(truth[told])
    for u in range(10):
        here = slice(32 * u, 32 * u + 32)
        optimiser.param_groups[0]["lr"] = 0.05 * schedule.factor(u, 10)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(x[here] @ W, y[here], reduction="sum" if step == "sgd" else "mean").backward()
        optimiser.step()
    assert found[300].weights == pytest.approx(W.detach().numpy() * scale, abs=5e-4)
    assert not memory.weights.any()


def test_keys_are_functions_of_seed_and_fact():
    memory = AssociativeMemory(MemoryConfig(V, 400), 3)
    keys = memory.keys([5, 6, 2**61])
    assert np.array_equal(keys[1:2], AssociativeMemory(MemoryConfig(V, 400), 3).keys(np.array([6])))
    assert (keys**2).sum(1) == pytest.approx(np.ones(3), abs=0.36)
    assert not np.array_equal(keys, AssociativeMemory(MemoryConfig(V, 400), 4).keys([5, 6, 2**61]))
    alike = AssociativeMemory(MemoryConfig(V, 400, 0.9), 3).keys([64 * 64 * 7 + 1, 64 * 64 * 7 + 2, 999])
    assert alike[0] @ alike[1] == pytest.approx(0.6, abs=0.25)  # two of three digits
    assert abs(alike[0] @ alike[2]) < 0.25


def test_a_memory_is_asked_like_a_transformer():
    world = Biographies().world(0.5, 2)
    corpus = world.sample(4000)
    told = fact_ids(corpus.entity, corpus.attribute)
    memory = teach(AssociativeMemory(MemoryConfig(V, 64), 1), told, corpus.value, rate=0.3)[4000]
    answers = memory.recall(world, corpus.entity[:50], corpus.attribute[:50])
    assert answers.correct.mean() > 0.5
    assert answers.probability.sum(1) == pytest.approx(np.ones(50))
    with pytest.raises(ValueError, match="ask in its own world"):
        memory.recall(Biographies(16).world(0.5, 2), corpus.entity[:5], corpus.attribute[:5])


@pytest.mark.parametrize(("power", "beta", "sigma"), [(1.0, 1.3, 1.8), (0.0, 1.0, 1.5)])
def test_strangers_noise_is_found(power, beta, sigma):
    base = np.arange(1, V + 1) ** -power
    base /= base.sum()
    world = SyntaxKnowledge(0.5, 1.0, (Attribute("city", V, base=tuple(base)),))
    random = np.random.default_rng(4)
    z = np.exp(beta * np.log(base) + sigma * random.standard_normal((8000, V)))
    truth = random.choice(V, 8000, p=base).astype(np.int32)
    found = confidence_of_strangers(Recall(world, np.zeros(8000, np.int16), truth, z / z.sum(1, keepdims=True)))
    assert found.noise == pytest.approx(sigma, abs=0.15)
    assert found.sharpness == pytest.approx(beta, abs=0.15)
    assert found.fitted["confidence"] == pytest.approx(found.measured["confidence"], abs=0.02)


FACTS = Facts([0.1, 0.01], [1, 10], 5)
GOOD = {"nats": 0.2, "speed": 0.4, "steps": STEPS}
MEMORY = AssociativeMemory(MemoryConfig(5, 4))
NAN = float("nan")


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("strength", lambda: flow_margin(-1, 5)),
        ("strength", lambda: flow_bits(NAN, 5)),
        ("values", lambda: flow_bits(1, 1)),
        ("base", lambda: stranger_shares([0.5, 0], 1)),
        ("noise", lambda: stranger_shares([0.5, 0.5], -1)),
        ("frequency", lambda: Facts([0.1, NAN], 1, 5)),
        ("frequency", lambda: Facts([0.0], 1, 5)),
        ("frequency", lambda: Facts([0.5], 3, 5)),
        ("count", lambda: Facts([0.1], -1, 5)),
        ("base", lambda: Facts([0.1], 1, 1)),
        ("base", lambda: Facts([0.1], 1, (0.5, 0.6))),
        ("n", lambda: memory_law(FACTS, -1, 10)),
        ("weights", lambda: memory_law(FACTS, 1, 0)),
        ("nats", lambda: memory_law(FACTS, 1, 10, nats=NAN)),
        ("limit", lambda: memory_law(FACTS, 1, 10, limit=0)),
        ("noise", lambda: memory_law(FACTS, 1, 10, noise=-1)),
        ("q", lambda: memory_law(FACTS, 1, 10).bits(2)),
        ("share", lambda: memory_law(FACTS, 1, 10).half(1)),
        ("rate", lambda: StepSum(0, 64)),
        ("batch", lambda: StepSum(0.1, 0)),
        ("n", lambda: STEPS(-1)),
        ("n", lambda: learner_law(Biographies().world(0.5, 1), 0, 10, 4, **GOOD)),
        ("speed", lambda: learner_law(Biographies().world(0.5, 1), 9, 10, 4, **{**GOOD, "speed": 0})),
        ("width", lambda: learner_law(Biographies().world(0.5, 1), 9, 10, NAN, **GOOD)),
        ("world", lambda: Facts.of_world(SyntaxKnowledge(attributes=(Attribute("a", 5), Attribute("b", 6))), 9)),
        ("measured", lambda: LearnerRuns(FACTS, [9], [2], [9], [0.0], STEPS)),
        ("width", lambda: LearnerRuns(FACTS, [9, 9], [2], [9, 9], [1, 1], STEPS)),
        ("frequency", lambda: LearnerRuns(FACTS, [9], [2], [9], [0.5], STEPS, [2.0])),
        ("noise", lambda: LearnerRuns(FACTS, [9], [2], [9], [0.5], STEPS, noise=NAN)),
        ("runs", lambda: fit_learner(planted(), replace(planted(), noise=1.0))),
        ("up_to", lambda: fit_learner(planted(), up_to=10)),
        ("seed", lambda: AssociativeMemory(MemoryConfig(), -1)),
        ("weights", lambda: AssociativeMemory(MemoryConfig(5, 4), 0, np.full((4, 5), NAN))),
        ("shared", lambda: MemoryConfig(shared=1.0)),
        ("facts", lambda: MEMORY.keys([0.5])),
        ("values", lambda: teach(MEMORY, [1, 2], [1, 5], rate=0.1)),
        ("values", lambda: teach(MEMORY, [1, 2], [1], rate=0.1)),
        ("step", lambda: teach(MEMORY, [1], [1], rate=0.1, step="lion")),
        ("rate", lambda: teach(MEMORY, [1], [1], rate=NAN)),
        ("batch", lambda: teach(MEMORY, [1], [1], rate=0.1, batch=0)),
        ("snapshots", lambda: teach(MEMORY, [1], [1], rate=0.1, snapshots=(2,))),
        (
            "recall",
            lambda: confidence_of_strangers(
                MEMORY.recall(Biographies(5).world(0.5, 1), np.zeros(0, int), np.zeros(0, int))
            ),
        ),
    ],
)
def test_what_does_not_fit_is_refused(name, call):
    with pytest.raises(ValueError, match=rf"^`{name}` must be .+, got .+; .+"):
        call()


def test_the_page_runs():
    exec(PAGE.read_text().split("```python\n")[1].split("```")[0], {})


def test_the_face_has_all_names():
    assert {"learner_law", "memory_law", "fit_learner", "flow_margin", "flow_bits"} <= set(knowledge.__all__)
