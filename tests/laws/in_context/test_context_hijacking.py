"""Hijacking: the logit against plain gradient descent, the error against prompts, the best step against contexts."""

from functools import lru_cache

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.laws.in_context import hijack_error, hijack_limits, hijack_logits, optimal_steps
from twopart.worlds.in_context import HijackedClassification

N, S = (1, 4, 12, 40), np.sqrt(2 / np.pi)


asked = lru_cache(1)(HijackedClassification.pairs)  # two tests in a row ask the same


def descended(initial, steps, x, y, query):
    """<β_L, x_q> of one prompt, by the matrix X and nothing else."""
    β = initial
    for step in steps:
        β = β + np.asarray(step) @ (x.T @ (y - x @ β)) if np.ndim(step) else β + step * (x.T @ (y - x @ β))
    return β @ query


@pytest.mark.parametrize("matrices", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_logit_is_that_of_gradient_descent(layers, matrices):
    world, rng = HijackedClassification(17, decay=0.5), np.random.default_rng(layers)
    steps = rng.uniform(0.002, 0.02, (layers, 17, 17) if matrices else layers)
    pairs, label = world.pairs(3), np.array([1.0, -1.0, 1.0])
    initial, many = 0.5 * world.prior, (1, 4, 40, 400)
    found = hijack_logits(initial, steps, pairs.query, pairs.hijacker, many, label)
    for k, n in enumerate(many):
        for t in range(3):
            x = np.tile(pairs.hijacker[t], (n, 1))
            expected = descended(initial, steps, x, np.full(n, -label[t]), pairs.query[t])
            assert found[k, t] == pytest.approx(expected, rel=1e-12, abs=1e-12)
    none = hijack_logits(initial, steps, pairs.query, pairs.hijacker, 0)
    np.testing.assert_allclose(none, (pairs.query @ initial)[None])


@pytest.mark.parametrize(("dimension", "spread", "layers"), [(20, 1.0, 1), (20, 1.0, 2), (5, 0.5, 3), (2, 0.0, 2)])
def test_the_error_is_that_of_sampled_prompts(dimension, spread, layers, size):
    T, world = size(100_000, 2_000_000), HijackedClassification(dimension, spread)
    pairs, steps = asked(world, T), np.full(layers, 0.2 / dimension)
    wrong = (hijack_logits(0.6 * world.prior, steps, pairs.query, pairs.hijacker, N) < 0).mean(1)
    law = hijack_error(0.6, steps, N, dimension=dimension, prior_spread=spread)
    error = np.sqrt(law.value * (1 - law.value) / T + law.error**2)
    assert (np.abs(wrong - law.value) < 5 * error).all()
    assert (law.error < 1.5e-3).all()
    other = hijack_error(0.6, 1.05 * steps, N, dimension=dimension, prior_spread=spread).value
    assert dimension < 20 or (np.abs(other - wrong) > 5 * error).any(), "5% more is seen"


def test_far_out_parity_decides():
    best = optimal_steps(40, 1, dimension=20)
    limits = hijack_limits(best.scale, dimension=20)
    assert limits.odd + limits.even == pytest.approx(1)
    assert (limits.learned, limits.odd, limits.even) == pytest.approx((0.818, 0.93, 0.07), abs=0.005)
    for layers, far in ((1, limits.odd), (2, limits.even), (3, limits.odd)):
        found = hijack_error(best.scale, [best.step] * layers, [1e6], dimension=20)
        assert found.value[0] == pytest.approx(far, abs=1e-3)
    fitted = hijack_error(best.scale, np.full(200, 5e-3), [1.0, 4.0], dimension=20)  # 0.1 and 0.4 N_1, many layers
    assert fitted.value == pytest.approx([limits.learned] * 2, abs=2e-4)


def test_a_prototypes_numbers():
    """Of another program, by 2000 draws and by 200,000 prompts."""
    steps = {1: 0.484, 2: 0.443, 16: 0.068}
    one, two, _ = found = [optimal_steps(40, layers, dimension=20) for layers in steps]
    assert [best.step * 40 for best in found] == pytest.approx(list(steps.values()), rel=0.02)
    assert [best.scale for best in found] == pytest.approx([0.5575] * 3, abs=0.0075)
    assert (one.loss, one.error) == (pytest.approx(0.5254, abs=1e-4), 0)
    for best, layers, errors in ((one, 1, (0.351, 0.775, 0.920, 0.931)), (two, 2, (0.446, 0.784, 0.228, 0.071))):
        found = hijack_error(best.scale, [best.step] * layers, N, dimension=20).value
        assert found == pytest.approx(errors, abs=0.012), "its α is 1.5% less and more"


@pytest.mark.parametrize(("layers", "n", "spread"), [(1, 12, 1.0), (2, 8, 0.7)])
def test_the_best_step_is_where_the_loss_of_contexts_is_least(layers, n, spread, size):
    """Slopes of the loss in c and α over fresh contexts are 0 to 5 standard errors, and are not at 5 % less or more."""
    T, world = size(20_000, 400_000), HijackedClassification(6, spread)
    prompts = world.sample(T, n)
    best = optimal_steps(n, layers, dimension=6, prior_spread=spread, draws=size(20_000, 400_000))

    def losses(c, α):
        β = np.tile(c * world.prior, (T, 1))
        for _ in range(layers):
            β = β + α * np.einsum("tnd,tn->td", prompts.x, prompts.y - np.einsum("tnd,td->tn", prompts.x, β))
        return 1 - 2 * S * (β * prompts.task).sum(1) + np.square(β).sum(1)

    def slope(c, α, *, of_c, by=0.01):
        low, high = (losses(*((c * x, α) if of_c else (c, α * x))) for x in (1 - by, 1 + by))
        return (high - low).mean() / ((high - low).std() / np.sqrt(T))

    own = losses(best.scale, best.step)
    assert abs(own.mean() - best.loss) < 5 * np.hypot(own.std() / np.sqrt(T), best.error)
    noise = 5 if layers == 1 else 5 * np.sqrt(2)  # the law's draws are as many
    assert abs(slope(best.scale, best.step, of_c=True)) < noise
    assert abs(slope(best.scale, best.step, of_c=False)) < noise
    assert slope(1.05 * best.scale, best.step, of_c=True) > noise
    assert slope(0.95 * best.scale, best.step, of_c=True) < -noise
    assert slope(best.scale, 1.05 * best.step, of_c=False) > noise


GOOD = {"initial": [1.0, 0.0], "steps": [0.1], "query": [[1.0, 0.5]], "hijacker": [[-1.0, 0.5]], "tokens": [1]}


@pytest.mark.parametrize(("name", "bad"), [
    ("initial", [np.nan, 0.0]), ("initial", 1.0), ("steps", []), ("steps", [np.inf]), ("steps", np.zeros((1, 3, 3))),
    ("query", [[1.0]]), ("hijacker", [[1.0, 2.0], [1.0, 2.0]]), ("tokens", -1), ("tokens", [[1]]), ("label", [1.0, 1.0]),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_for_logits(name, bad):
    with pytest.raises(InputError, match=rf"`{name}` must be .+, got .+; .+"):
        hijack_logits(**(GOOD | {name: bad}))


@pytest.mark.parametrize(("name", "call"), [
    ("scale", lambda: hijack_error(np.nan, [0.1], [1], dimension=5)),
    ("steps", lambda: hijack_error(0.5, [[0.1]], [1], dimension=5)),
    ("tokens", lambda: hijack_error(0.5, [0.1], [-1.0], dimension=5)),
    ("dimension", lambda: hijack_error(0.5, [0.1], [1], dimension=1)),
    ("prior_spread", lambda: hijack_limits(0.5, dimension=5, prior_spread=-1)),
    ("scale", lambda: hijack_limits(np.inf, dimension=5)),
    ("context", lambda: optimal_steps(0, 1, dimension=5)),
    ("layers", lambda: optimal_steps(4, 0, dimension=5)),
    ("draws", lambda: optimal_steps(4, 2, dimension=5, draws=1)),
    ("seed", lambda: optimal_steps(4, 2, dimension=5, seed=-1)),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(name, call):
    with pytest.raises(InputError, match=rf"`{name}` must be .+, got .+; .+"):
        call()


def test_both_float_types_and_numbers_of_tokens():
    single = {name: np.asarray(value, np.float32) for name, value in GOOD.items()}
    np.testing.assert_allclose(hijack_logits(**single), hijack_logits(**GOOD), rtol=1e-6)
    np.testing.assert_array_equal(hijack_logits(**(GOOD | {"tokens": 1})), hijack_logits(**GOOD))
