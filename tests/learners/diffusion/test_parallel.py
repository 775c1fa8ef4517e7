"""Decoders of grids: layout and mask by loops, cached generation against whole passes, laws of what is generated."""

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from torch import Tensor

from twopart._checks import InputError
from twopart.laws.diffusion import decoded, order_loss, table_cost
from twopart.learners.diffusion import (
    GridTransformer,
    adjacent,
    cosine_groups,
    generate,
    group_mask,
    par_order,
    parallel_code,
    random_groups,
    raster,
    train_order,
    with_transitions,
)
from twopart.worlds.diffusion import IsingGrid

PAR, RAGGED = par_order(4, 2), cosine_groups(4, 5)


def make(order, values: int = 3, dtype: torch.dtype = torch.float32, **options) -> GridTransformer:
    model = GridTransformer(4, values, width=32, heads=2, seed=2, **options).to(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return model


def perfect(world: IsingGrid):
    """The exact conditionals as a decoder, which looks its tokens up by where they stand."""

    def model(tokens: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        logits = torch.zeros(*tokens.shape, world.values, dtype=torch.float64)
        for t, (_, aim) in enumerate(positions.tolist()):
            if aim >= 0:
                seen = [s for s, (at, _) in enumerate(positions.tolist()) if at >= 0 and mask[t, s]]
                x = np.zeros((len(tokens), world.tokens), np.int64)
                known = positions[seen, 0].tolist()
                x[:, known] = tokens[:, seen]
                logits[:, t] = torch.from_numpy(world.conditionals(x, known)[:, aim]).log()
        return logits

    return model


def test_what_is_fed_by_hand() -> None:
    """Two tokens one by one, then two at a time: class, t0 | t2, M | t1, t3 is not fed."""
    order, tokens = ((0,), (2,), (1, 3)), torch.tensor([[5, 6, 7, 8]])
    inputs, targets, positions = with_transitions(order, tokens, 10)
    assert inputs.tolist() == [[10, 5, 7, 11]]
    assert targets.tolist() == [[5, 7, 6, 8]]
    assert positions.tolist() == [[-1, 0], [0, 2], [2, 1], [-1, 3]]
    inputs, targets, _ = with_transitions(((0, 1, 2), (3,)), tokens, 10, torch.tensor([1]), classes=2)
    assert inputs.tolist() == [[11, 13, 14, 5, 6, 7]]
    assert targets.tolist() == [[5, 6, 7, 8, -100, -100]]
    assert with_transitions(((0,), (2,), (1, 3)), tokens, 10, torch.tensor([-1]), classes=2)[0][0, 0] == 12


def test_par_is_fed_as_published() -> None:
    """[class, t_1..t_n, M_1..M_{n-1}, t_{n+1}..t_{N-n}]: as many tokens as targets."""
    tokens = torch.arange(16)[None]
    inputs, targets, _ = with_transitions(PAR, tokens, 16)
    assert inputs.tolist() == [[16, 0, 2, 8, 10, 17, 18, 19, 1, 3, 9, 11, 4, 6, 12, 14]]
    assert targets.tolist() == [list(sum(PAR, ()))]


@pytest.mark.parametrize("order", [PAR, RAGGED, adjacent(4, 3)], ids=["PAR", "cosine", "ragged"])
def test_the_mask_by_a_loop_over_pairs(order) -> None:
    """A fed token may see another unless that belongs to a later group's step."""
    blocks, before = [], 1
    for g, group in enumerate(order):
        blocks += [g] * max(before, len(group))
        before = len(group)
    mask = group_mask(order)
    assert mask.shape == (len(blocks),) * 2
    for i, one in enumerate(blocks):
        for j, other in enumerate(blocks):
            assert mask[i, j] == (other <= one)


@pytest.mark.parametrize(("variant", "dtype"), [("told", torch.float32), ("published", torch.float64)])
@pytest.mark.parametrize("order", [raster(4), PAR, RAGGED], ids=["raster", "PAR", "cosine"])
def test_cached_passes_are_whole_ones(order, variant: str, dtype: torch.dtype) -> None:
    """Logits block by block with a cache equal those of one pass, and no later token changes them; grids come out alike."""
    model, tokens = make(order, dtype=dtype, variant=variant), torch.randint(3, (5, 16))
    inputs, _, positions = with_transitions(order, tokens, 3)
    mask, cache, start, before = group_mask(order), {}, 0, 1
    whole, parts = model(inputs, positions, mask), []
    for group in order:
        stop = start + max(before, len(group))
        parts.append(model(inputs[:, start:stop], positions[start:stop], mask[start:stop, :stop], cache=cache))
        start, before = stop, len(group)
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-5 if dtype == torch.float32 else 1e-12)
    changed = inputs.clone()
    changed[:, -1] = (changed[:, -1] + 1) % 3
    last = len(order[-1]) if order is not RAGGED else max(map(len, order[-2:]))
    assert torch.allclose(model(changed, positions, mask)[:, :-last], whole[:, :-last])
    one, other = (
        generate(model, order, 6, values=3, cache=c, generator=torch.Generator().manual_seed(0)) for c in (True, False)
    )
    assert torch.equal(one, other)


def test_the_published_variant_has_tokens_without_a_say() -> None:
    """Zero factors turn the keys of start and transition tokens to zero; told ones have keys of their own."""
    inputs, _, positions = with_transitions(PAR, torch.randint(3, (2, 16)), 3)
    for variant, vanish in (("published", True), ("told", False)):
        model, cache = make(PAR, variant=variant), {}
        model(inputs, positions, group_mask(PAR), cache=cache)
        keys = cache[0][0]  # (B, heads, T, D)
        nowhere = positions[:, 0] < 0
        assert bool((keys[:, :, nowhere] == 0).all()) == vanish
        assert bool((keys[:, :, ~nowhere] != 0).any())
        assert model.aims.requires_grad != vanish


def test_a_perfect_model_pays_the_law_and_generates_it() -> None:
    """The code of all states costs H + Σ TC; grids follow the product of its conditionals, a pass for each group."""
    world, order = IsingGrid(2, 0.7), ((0,), (3, 1), (2,))
    p, model = world.probabilities, perfect(world)
    states = torch.tensor(list(np.ndindex(2, 2, 2, 2)))
    bits = parallel_code(model, order, states, 2)
    paid = float(p.ravel() @ bits.sum(1).numpy())
    assert paid == pytest.approx(world.entropy + order_loss(order, table_cost(p)).sum(), abs=1e-10)
    q, calls = decoded(p, order).ravel(), []

    def counted(*given: Tensor) -> Tensor:
        calls.append(given)
        return model(*given)

    n = 5000
    made = generate(counted, order, n, values=2, cache=False, generator=torch.Generator().manual_seed(3))
    assert len(calls) == len(order)
    counts = np.bincount(made.numpy() @ [8, 4, 2, 1], minlength=16)
    assert chi2.sf(np.square(counts - n * q) @ (1 / (n * q)), 15) > 1e-6
    assert chi2.sf(np.square(counts - n * p.ravel()) @ (1 / (n * p.ravel())), 15) < 1e-6, "and not the truth"


def test_how_tokens_are_drawn() -> None:
    """Temperature, the most likely values alone, and guidance, against softmax by hand; classes by their start tokens."""
    logits = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, -1.0], [0.5, 0.5, 0.5]])  # of class 0, class 1, none

    def model(tokens: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        return logits[tokens[:, :1] - 3].expand(-1, tokens.shape[1], -1)

    n, order = 20_000, raster(1)
    options = {"values": 3, "cache": False, "classes": 2, "labels": torch.zeros(n, dtype=torch.int64)}
    for given, expected in (
        ({}, logits[0]),
        ({"temperature": 2.0}, logits[0] / 2),
        ({"top_k": 2}, logits[0].masked_fill(torch.tensor([True, False, False]), -torch.inf)),
        ({"guidance": 1.5}, logits[2] + 1.5 * (logits[0] - logits[2])),
        ({"labels": torch.full((n,), -1)}, logits[2]),
    ):
        x = generate(model, order, n, generator=torch.Generator().manual_seed(5), **{**options, **given})
        share = torch.bincount(x.flatten(), minlength=3) / n
        assert torch.allclose(share, expected.softmax(0), atol=5 * 0.5 / n**0.5)


def test_training_learns_an_order_and_is_repeatable() -> None:
    """From a bit a token to within 0.2 bits of what is to be learned, with the same seeds by the same steps."""
    world, order = IsingGrid(2, 1.0), raster(2)
    x, told = torch.from_numpy(world.sample(1000)), []

    def trained(steps: int) -> tuple[GridTransformer, float]:
        model, random = GridTransformer(2, 2, width=16, heads=1, layers=1, seed=0), torch.Generator().manual_seed(0)
        options = {"steps": steps, "batch": 32, "rate": 2e-2, "generator": random}
        return model, train_order(model, order, x, 2, **options, on_step=lambda step, bits: told.append((step, bits)))

    model, _ = trained(30)
    assert [step for step, _ in told] == list(range(1, 31))
    assert told[0][1] > 3.8
    assert parallel_code(model, order, x, 2).sum(1).mean().item() == pytest.approx(world.entropy, abs=0.2)
    assert trained(4)[1] == trained(4)[1]


TOKENS = torch.zeros(2, 16, dtype=torch.int64)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda m: group_mask(((0, 0),)), "order"),
        (lambda m: with_transitions(PAR, TOKENS[:, :9], 3), "tokens"),
        (lambda m: with_transitions(PAR, TOKENS.float(), 3), "tokens"),
        (lambda m: with_transitions(PAR, TOKENS + 3, 3), "tokens"),
        (lambda m: with_transitions(PAR, TOKENS, 1), "values"),
        (lambda m: with_transitions(PAR, TOKENS, 3, torch.tensor([0, 2]), 2), "labels"),
        (lambda m: with_transitions(PAR, TOKENS, 3, torch.tensor([0.0, 1.0]), 2), "labels"),
        (lambda m: with_transitions(PAR, TOKENS[:0], 3), "tokens"),
        (lambda m: with_transitions(((0.5,), (1,)), TOKENS[:, :2], 3), "order"),
        (lambda m: parallel_code(m, PAR, TOKENS - 1, 3), "tokens"),
        (lambda m: parallel_code(m, PAR, TOKENS, 4), "model"),
        (lambda m: parallel_code(lambda *fed: (m(*fed),), PAR, TOKENS, 3), "model"),
        (lambda m: generate(lambda *fed: m(*fed) * torch.nan, PAR, 2, values=3, cache=False), "model"),
        (lambda m: generate(lambda tokens, positions, mask: m, PAR, 2, values=3), "cache"),
        (lambda m: generate(m, par_order(6, 2), 2, values=3), "tokens.*"),
        (lambda m: generate(GridTransformer(4, 3, transitions=1), par_order(4, 2, False), 2, values=3), "tokens.*"),
        (lambda m: generate(m, PAR, 0, values=3), "batch"),
        (lambda m: generate(m, PAR, 2, values=3, temperature=0.0), "temperature"),
        (lambda m: generate(m, PAR, 2, values=3, top_k=4), "top_k"),
        (lambda m: generate(m, PAR, 2, values=3, guidance=1.5), "labels"),
        (lambda m: generate(m, PAR, 2, values=3, guidance=np.nan), "guidance"),
        (lambda m: generate(m, PAR, 2, values=3, labels=torch.tensor([0])), "labels"),
        (lambda m: train_order(m, PAR, TOKENS, 3, steps=0), "steps"),
        (lambda m: train_order(m, PAR, TOKENS, 3, steps=1, batch=0), "batch"),
        (lambda m: train_order(m, PAR, TOKENS, 3, steps=1, rate=np.nan), "rate"),
        (lambda m: GridTransformer(0, 3), "side"),
        (lambda m: GridTransformer(4, 3, heads=0), "heads"),
        (lambda m: GridTransformer(4, 3, width=30), "width"),
        (lambda m: GridTransformer(4, 3, variant="other"), "variant"),
        (lambda m: GridTransformer(4, 3, transitions=-1), "transitions"),
    ],
)
def test_refusals(call, name: str) -> None:
    with pytest.raises(InputError, match=rf"^`{name}` must be .+, got .+; .+$"):
        call(make(PAR))


def test_random_orders_are_fed_whole() -> None:
    """Every token is predicted once, whatever the sizes of groups."""
    for order in (random_groups(4, 5, 0), cosine_groups(4, 3), RAGGED):
        _, targets, positions = with_transitions(order, torch.arange(16)[None] % 3, 3)
        aims = positions[:, 1]
        assert aims[aims >= 0].tolist() == list(sum(order, ()))
        assert bool(((targets[0] == -100) == (aims < 0)).all())
