"""Attention only and its training: against torch's attention, training one by one, and plain loops."""

import numpy as np
import polars as pl
import pytest
import torch
from scipy.special import erf
from torch import nn

from twopart._checks import InputError
from twopart.learners.in_context import AttentionOnly, depth_profile, operations, train_together
from twopart.worlds.in_context import Memorise, Recall, Templates


def seeded(seed, *sizes, **shape):
    torch.manual_seed(seed)
    return AttentionOnly(*sizes, **shape)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mlp", [False, True])
def test_layers_are_those_of_torch(dtype, mlp):
    L, H, D = 2, 3, 12
    model = seeded(0, L, H, D, length=5, classes=4, inputs=7, mlp=mlp).to(dtype)
    x = torch.randn(6, 5, 7, dtype=dtype)
    h, maps = x @ model.embed + model.positions, []
    for layer in range(L):
        peer = nn.MultiheadAttention(D, H, bias=False, batch_first=True, dtype=dtype)
        with torch.no_grad():
            peer.in_proj_weight.copy_(torch.cat([w[layer].T for w in (model.query, model.key, model.value)]))
            peer.out_proj.weight.copy_(model.out[layer].T)
        said, attention = peer(h, h, h, average_attn_weights=False)
        h = h + said
        h = h + model.mlps[layer](h) if mlp else h
        maps.append(attention)
    close = {"atol": 1e-4, "rtol": 1e-4} if dtype == torch.float32 else {}
    torch.testing.assert_close(model(x), model.readout(h[:, -1]), **close)
    torch.testing.assert_close(model.stream(x), h[:, -1], **close)
    torch.testing.assert_close(model.attentions(x), maps, **close)


def test_numbers_of_tokens_are_rows():
    model = seeded(0, 1, 2, 8, length=3, classes=4, vocabulary=5)
    x = torch.randint(5, (4, 3))
    same = seeded(0, 1, 2, 8, length=3, classes=4, inputs=5)
    same.load_state_dict(model.state_dict())
    torch.testing.assert_close(model(x), same(nn.functional.one_hot(x, 5).float()))
    assert model.embed.norm(dim=1).mean().item() == pytest.approx(3, rel=0.3)


def test_starts_are_alike_where_asked():
    model = seeded(0, 2, 2, 200, length=8, classes=2, inputs=3, tied=2.0, period=3)
    torch.testing.assert_close(model.key, 2 * model.query)
    at = torch.arange(8)
    shared = (at[:, None] // 3 == at // 3).float() + (at[:, None] % 3 == at % 3)
    torch.testing.assert_close(model.positions @ model.positions.T, 4.5 * shared, atol=2.5, rtol=0)


def test_together_is_one_by_one():
    task, steps, batch = Recall(2, 8), 12, 5
    models, alone = ([seeded(r, 2, 1, 8, **task.shape) for r in range(2)] for _ in range(2))
    way = train_together(models, task, steps=steps, batch=batch, learning_rate=0.01, tests=50, looks=3, seed=4)
    known, unseen = task.split()
    asked, answer = (torch.from_numpy(one) for one in unseen.sample(50, "4 tests"))
    for r, model in enumerate(alone):
        adam = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.9, 0.99))
        cycle = torch.optim.lr_scheduler.OneCycleLR(adam, 0.01, total_steps=steps, pct_start=0.1)
        for step in range(1, steps + 1):
            x, y = (torch.from_numpy(one)[r * batch : (r + 1) * batch] for one in known.sample(2 * batch, f"4 {step}"))
            adam.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            adam.step()
            cycle.step()
        torch.testing.assert_close(models[r](asked), model(asked), atol=1e-4, rtol=1e-3)
        accuracy = way.filter(pl.col("network") == r)["accuracy"].to_list()
        assert accuracy[-1] == (model(asked).argmax(-1) == answer).double().mean().item()
    assert way["step"].unique(maintain_order=True).to_list() == [4, 8, 12]


class Bag(nn.Module):
    """A stranger's module, of either float type, that reads no order."""

    def __init__(self, width):
        super().__init__()
        self.embed, self.read = nn.Embedding(16, width, dtype=torch.float64), nn.Linear(width, 2, dtype=torch.float64)

    def forward(self, x):
        return self.read(self.embed(x).mean(1))


def test_a_strangers_module_is_profiled():
    found = depth_profile(
        lambda L, H: Bag(L * H), Memorise(6, 2), [(8, 4), (1, 1)], networks=2, steps=60, learning_rate=0.1, looks=6
    )
    assert found.columns == ["layers", "heads", "network", "accuracy", "steps"]
    assert found["layers"].to_list() == [8, 8, 1, 1]
    wide = found.filter(pl.col("layers") == 8)
    assert (wide["accuracy"] == 1).all()
    assert wide["steps"].is_in([10, 20, 30, 40, 50]).all()
    again = depth_profile(lambda L, H: Bag(L * H), Memorise(6, 2), [(8, 4)], networks=2, steps=60, learning_rate=0.1)
    assert again["accuracy"].to_list() == wide["accuracy"].to_list()
    never = depth_profile(lambda L, H: Bag(L), Memorise(40, 4), [(1, 1)], networks=1, steps=12)
    assert never["steps"].to_list() == [None]


@pytest.mark.parametrize("kind", ["tensors", "arrays", "vectors"])
def test_operations_are_those_of_loops(kind):
    rng = np.random.default_rng(0)
    B, H, T, roles = 3, 2, 5, [0, 1, 0, 1, 0]
    x = rng.integers(3, size=(B, T))
    maps = rng.dirichlet(np.ones(T), (2, B, H, T)).astype(np.float32)
    sums = np.zeros((2, H, 3))
    for layer, b, head, t, s in np.ndindex(2, B, H, T, T):
        goes = s == t - 1, s != t and roles[s] == roles[t], s != t and x[b, s] == x[b, t]
        sums[layer, head] += maps[layer, b, head, t, s] * np.array(goes) / (B * T)
    given = [torch.from_numpy(one).requires_grad_() for one in maps] if kind == "tensors" else maps
    tokens = rng.standard_normal((3, 4))[x] if kind == "vectors" else x
    found = operations(given, roles, torch.from_numpy(tokens) if kind == "tensors" else tokens)
    np.testing.assert_allclose(found["parsing", "copying", "matching"].to_numpy().reshape(2, H, 3), sums, rtol=1e-5)
    assert found["layer"].to_list() == [0, 0, 1, 1]
    last = operations(given, roles, tokens, [-1])
    np.testing.assert_allclose(last["parsing"], maps[..., -1, -2].mean(1).ravel(), rtol=1e-6)


def test_causal_heads_are_labelled_as_by_transformer_lens():
    """Its `detect_head`: the share of attention on a pattern below the diagonal, previous or equal earlier tokens."""
    rng, T = np.random.default_rng(1), 6
    x = rng.integers(3, size=(1, T))
    maps = np.tril(rng.uniform(size=(1, 2, T, T)))
    maps /= maps.sum(-1, keepdims=True)
    patterns = np.eye(T, k=-1), np.tril(x == x.T, -1)
    shares = [(maps[0] * one).sum((1, 2)) / maps[0].sum((1, 2)) for one in patterns]
    np.testing.assert_allclose(operations([maps], np.arange(T), x)["parsing", "matching"].to_numpy().T, shares)


def test_two_heads_make_a_bump(size):
    """Weights σ(sz ± b) on x_1, z = <u, x_1 - x_2>: unequal tokens are taken for equal at the rate of docs/laws, one number."""
    s, b = 5.0, 2.0
    model = seeded(0, 1, 2, 5, length=3, classes=2, inputs=1, head_width=2)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    model.embed.data[0, 0], model.positions.data[:, 1:4] = 1, torch.eye(3)
    for k, side in enumerate((1.0, -1.0)):
        model.query.data[0, 3, 2 * k : 2 * k + 2] = 2**0.5
        model.key.data[0, 0, 2 * k], model.key.data[0, 1:4, 2 * k + 1] = s, torch.tensor([side * b, 0, -20 - 12 * s])
        model.value.data[0, 1, 2 * k], model.out.data[0, 2 * k, 4] = 1, side
    model.readout.weight.data[0, 4], model.readout.bias.data[0] = 1, -np.tanh(b / 2) / 2
    task = Templates(3, labels=(0, 0, 1, 1, 1), size=1)
    asked = task.sample(size(150_000, 1_000_000))
    wrong = (model(torch.from_numpy(asked.tokens)).argmax(-1).numpy() != asked.target)[asked.target == 1]
    law = erf(np.arccosh(2 + np.cosh(b)) / (2 * s))
    error = 5 * np.sqrt(law * (1 - law) / len(wrong))
    assert wrong.mean() == pytest.approx(law, abs=error)
    assert error < 0.05 * law, "5% off is seen"


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: AttentionOnly(0, 1, 8, length=3, classes=2, inputs=2), "`layers` must be"),
        (lambda: AttentionOnly(1, 1, 8, length=3, classes=2), "`vocabulary` must be >= 1, or else `inputs`"),
        (lambda: AttentionOnly(1, 1, 8, length=3, classes=2, inputs=2, scale=0.0), "`scale` must be"),
        (lambda: AttentionOnly(1, 0, 8, length=3, classes=2, inputs=2), "`heads` must be"),
        (lambda: AttentionOnly(1, 1, 8, length=3, classes=2, inputs=2, head_width=0), "`head_width` must be"),
        (
            lambda: AttentionOnly(1, 1, 8, length=3, classes=2, vocabulary=2)(torch.zeros(2, 4, dtype=int)),
            "`x` must be",
        ),
        (lambda: train_together([], Recall(2)), "`models` must be"),
        (lambda: train_together([Bag(2)], Recall(2), steps=1), "`steps` must be"),
        (lambda: train_together([Bag(2)], Recall(2), learning_rate=np.nan), "`learning_rate` must be"),
        (lambda: depth_profile(lambda L, H: Bag(2), Recall(2), [(1, 1)], networks=0), "`models` must be"),
        (lambda: depth_profile(lambda L, H: Bag(2), Recall(2), []), "`grid` must be"),
        (lambda: operations([np.ones((2, 1, 3, 3))], [0, 1], np.ones((2, 3), int)), "`roles` must be"),
        (lambda: operations([np.ones((2, 3, 3))], [0, 1, 0], np.ones((2, 3), int)), "`attentions` must be"),
        (lambda: operations([np.full((2, 1, 3, 3), np.nan)], [0, 1, 0], np.ones((2, 3), int)), "`attentions` must be"),
        (lambda: operations([], [0, 1, 0], np.ones((2, 3), int)), "`attentions` must be"),
        (lambda: operations([np.ones((2, 1, 3, 3))], [0, 1, 0], np.ones(3)), "`tokens` must be"),
        (lambda: operations([np.ones((2, 1, 3, 3))], [0, 1, 0], np.full((2, 3, 1), np.nan)), "`tokens` must be"),
    ],
)
def test_bad_values_are_refused(ask, said):
    with pytest.raises(InputError, match=said):
        ask()
