"""What a memory keeps when it is told other facts: against memories taught twice, and the law of one lesson."""

import numpy as np
import pytest

from twopart import _random
from twopart._checks import InputError
from twopart.laws import memory_law, retention_law
from twopart.laws.knowledge import Facts, flow_margin
from twopart.laws.knowledge.learner_flow import flow_logits
from twopart.learners.knowledge import AssociativeMemory, MemoryConfig, teach

V, OLD, NEW, NATS = 64, 400, 100, 0.2
FIRST, LATER = 30_000, 10_000
FREQUENCY = np.arange(1, OLD + 1) ** -1.0 / np.sum(np.arange(1, OLD + 1) ** -1.0)
BEFORE, NEWS = Facts(FREQUENCY, 1, V), Facts([1 / NEW], NEW, V)


def before(width: int):
    return memory_law(BEFORE, FIRST, width * V, nats=NATS)


def test_logits_flow_as_one_fact_alone():
    strength = np.array([30.0, 0.5, 4.0])
    a = flow_logits(np.zeros((1, V)), strength)[:, 0]
    assert a[:, 0] - a[:, 1] == pytest.approx(flow_margin(strength, V), rel=2e-3)
    assert a.sum(1) == pytest.approx(np.zeros(3), abs=1e-9)


def test_memories_taught_twice_are_on_the_law(size):
    """Width 48 forgets half without replay. Noise to 4 %, shares of all old facts to 0.05, of which the law has up to 0.04 too
    many (it takes mean exposures and a flow), of new ones to 0.02. What is exact of the equations, the next test has."""
    replay, found, sizes = (0.0, 0.1), [], 48
    for seed in range(size(3, 12)):
        random = _random.generator(seed, "twice")
        truth = random.integers(V, size=OLD + NEW)
        told = random.choice(OLD, FIRST, p=FREQUENCY)
        memory = teach(AssociativeMemory(MemoryConfig(V, sizes), seed), told, truth[told], rate=NATS, batch=16)[FIRST]
        known = memory.logits(np.arange(OLD)).argmax(1) == truth[:OLD]
        for share in replay:
            old, new = random.choice(OLD, LATER, p=FREQUENCY), OLD + random.integers(NEW, size=LATER)
            told = np.where(random.random(LATER) < share, old, new)
            after = teach(memory, told, truth[told], rate=NATS, batch=16)[LATER]
            right = after.logits(np.arange(OLD + NEW)).argmax(1) == truth
            found.append((np.mean(right[:OLD] & known), right[OLD:].mean(), after.noise))
    old, new, noise = np.reshape(found, (-1, 2, 3)).mean(0).T
    law = retention_law(before(sizes), NEWS, LATER, replay, nats=NATS)
    assert noise == pytest.approx(law.new.noise, rel=0.04)
    assert old == pytest.approx(law.known(FREQUENCY).mean(1), abs=0.05)
    assert new == pytest.approx(law.new.of("right", 1 / NEW), abs=0.02)
    assert 0.3 < law.kept[0] < 0.7 < 1.4 * law.kept[1]


def test_new_facts_are_learned_as_in_one_lesson_through_the_noise_of_what_is_left():
    """The same two equations by the other solver, what is left of old noise being noise that weights do not lessen."""
    first, limit = before(48), 20.0
    law = retention_law(first, NEWS, [LATER, 3 * LATER], nats=NATS, limit=limit)
    for i, n in enumerate((LATER, 3 * LATER)):
        left = float(law.new.gain[i] ** 2 * first.noise)
        alone = memory_law(NEWS, n, 48 * V, nats=NATS, limit=limit, noise=left)
        assert law.new.noise[i] == pytest.approx(float(alone.noise), rel=2e-3)
        assert law.new.gain[i] == pytest.approx(float(alone.gain), rel=2e-3)
        assert law.added[i] == pytest.approx(float(alone.noise) - left, rel=5e-3)


def test_its_limits():
    first, wide = before(48), before(10**6)
    nothing = retention_law(first, NEWS, 0, nats=NATS)
    assert (nothing.kept, nothing.added, nothing.new.gain) == pytest.approx((1, 0, 1))
    room = retention_law(wide, NEWS, LATER, [0, 0.5], nats=NATS)
    assert room.kept == pytest.approx([1, 1], abs=1e-3)
    assert room.new.gain == pytest.approx([1, 1], abs=1e-3)
    law = retention_law(first, NEWS, LATER, [0, 0.1, 0.5, 1], nats=NATS)
    assert np.all(np.diff(law.kept) > 0)
    assert law.new.of("right", 1 / NEW)[-1] == pytest.approx(1 / V, abs=0.01)
    assert np.all(np.diff(law.known(FREQUENCY[::-1]), axis=1) > -0.05)  # but for draws the frequent stay
    assert law.known([FREQUENCY[0], 1e-9, 1.0]).shape == (4, 3)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"n": np.nan}, "`n`"),
        ({"replay": 1.5}, "`replay`"),
        ({"nats": 0}, "`nats`"),
        ({"limit": -1}, "`limit`"),
        ({"new": Facts([0.5], 1, 32)}, "`new`"),
        ({"new": Facts([0.5], 1, (0.25, 0.75))}, "`new`"),
        ({"before": memory_law(BEFORE, [1, 2], 64)}, "`before`"),
    ],
)
def test_refusals(wrong, words):
    given = {"before": before(48), "new": NEWS, "n": LATER, "replay": 0.0, "nats": NATS} | wrong
    with pytest.raises(InputError, match=words):
        retention_law(given.pop("before"), given.pop("new"), given.pop("n"), given.pop("replay"), **given)
