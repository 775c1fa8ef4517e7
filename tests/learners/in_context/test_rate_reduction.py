"""Coding rates against determinants, expectations and finite differences; readers of other people's attention; the penalty."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import digamma
from torch import nn

from twopart._checks import InputError
from twopart.learners.in_context import (
    Crate,
    Mssa,
    SRRRegulariser,
    coding_rate,
    rate_reduction,
    srr,
    subspace_rate,
    subspaces_of,
    taylor,
    watch,
)
from twopart.worlds.in_context import SubspaceTokens


@pytest.fixture(scope="module")
def tokens():
    return torch.from_numpy(np.random.default_rng(0).standard_normal((3, 7, 5)))


@pytest.fixture(scope="module")
def bases():
    return torch.from_numpy(np.random.default_rng(1).standard_normal((2, 5, 3)))


def unit(z):
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


@pytest.mark.parametrize("count", [3, 7])
@pytest.mark.parametrize("variant", ["paper", "published"])
def test_rates_are_determinants_of_either_side(tokens, bases, count, variant):
    z, (n, d), square = tokens[:, :count], (count, 5), 0.09 if variant == "paper" else 0.3
    rates, near = srr(z, bases, 0.3, variant=variant), taylor(z, bases, 0.3, variant=variant)
    for i, one in enumerate(unit(z.numpy())):
        for gram, size in ((one.T @ one, d), (one @ one.T, n)):  # Sylvester
            assert rates.total[i] == pytest.approx(np.linalg.slogdet(np.eye(size) + d / (n * square) * gram)[1] / 2)
        V = [one @ u for u in bases.numpy()]
        within = sum(np.linalg.slogdet(np.eye(n) + 3 / (n * square) * v @ v.T)[1] / 2 for v in V)
        assert rates.subspace[i] == pytest.approx(within)
        assert near[i] == pytest.approx(3 / (n * square) * max(np.linalg.norm(v, 2) for v in V) ** 2)


def test_columns_other_types_and_sparsity(tokens, bases):
    assert torch.equal(coding_rate(tokens.mT, dim=-2), coding_rate(tokens))
    assert coding_rate(tokens.float()).dtype == torch.float32
    assert coding_rate(tokens.numpy()) == pytest.approx(coding_rate(tokens))
    assert coding_rate(3 * tokens) == pytest.approx(coding_rate(tokens))
    assert (coding_rate(3 * tokens, normalise=False) > coding_rate(tokens, normalise=False)).all()
    half = torch.where(torch.arange(5) < 2, tokens, 0.0)
    rates = srr(half, bases)
    assert rates.sparsity == pytest.approx(0.4)
    assert rates.srr == pytest.approx(0.4 + rates.subspace - rates.total)


def test_gradients_are_those_of_finite_differences(tokens, bases):
    z, U = tokens[:1].clone().requires_grad_(), bases.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z, U: srr(z, U).subspace, (z, U))
    assert torch.autograd.gradcheck(lambda z: coding_rate(z, normalise=False), (z,))
    y = torch.tensor([0, 1, 0, 1, 0, 1, 1])
    assert torch.autograd.gradcheck(lambda z: rate_reduction(z[0], labels=y), (z,))


def test_gaussian_tokens_have_the_rate_of_wishart(size):
    """For small ε the rate is ½ (d log(d/(n ε²)) + E log det Z'Z), and E log det of a Wishart matrix is known."""
    count, n, d, eps = size(2000, 50_000), 12, 5, 1e-4
    z = np.random.default_rng(2).standard_normal((count, n, d))
    rates = coding_rate(z, eps, normalise=False).numpy()
    expected = (d * np.log(d / (n * eps**2)) + digamma((n - np.arange(d)) / 2).sum() + d * np.log(2)) / 2
    assert rates.mean() == pytest.approx(expected, abs=5 * rates.std() / np.sqrt(count))
    assert 5 * rates.std() / np.sqrt(count) < 0.05 * d / 2  # five per cent of the constant before ε² is told apart


def test_true_groups_save_more_than_others():
    world = SubspaceTokens(tokens=200, noise=0.05)
    z, member = world.sample(1)
    true, other = rate_reduction(z[0], labels=member[0]), rate_reduction(z[0], labels=np.roll(member[0], 1))
    assert true > other + 1
    parts = [coding_rate(z[0][member[0] == k]) * float((member[0] == k).mean()) for k in range(4)]
    assert true == pytest.approx(float(coding_rate(z[0]) - sum(parts)))


def test_watch_reads_crate_layer_by_layer():
    torch.manual_seed(0)
    model, x = Crate(8, 4, 10, 12, 2, 3).double(), torch.randn(6, 1, 8, 8, dtype=torch.double)
    with watch(model) as seen:
        model(x[:2])
        model(x)
    assert seen.layers == ("layers.0", "layers.1")
    z = torch.cat([model.first.expand(6, -1, -1), model.embed(nn.functional.unfold(x, 4, stride=4).mT)], 1)
    z = z + model.positions
    for layer, rates in zip(model.layers, seen.rates(), strict=True):
        z = layer(z)
        assert torch.equal(rates.srr, srr(z, layer.attention.subspaces).srr)
    assert str(seen).count("layers.") == 2
    before = len(seen.features)
    model(x)
    assert len(seen.features) == before, "nothing is read outside"


def test_watch_reads_attention_of_torch_and_hugging_face():
    from transformers import GPT2Config, GPT2Model, LlamaConfig, LlamaModel, ViTConfig, ViTModel

    plain = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), 2)
    with watch(plain) as seen:
        plain(torch.randn(3, 4, 8))
    assert [one.total.shape for one in seen.rates()] == [(3,), (3,)]
    weight = plain.layers[0].self_attn.in_proj_weight
    assert torch.equal(seen.subspaces[0][1], weight[20:24].T), "the value projection of the second head"
    ids = torch.zeros(2, 5, dtype=torch.long)
    gpt = GPT2Model(GPT2Config(n_embd=8, n_head=2, n_layer=2, vocab_size=4, bos_token_id=None, eos_token_id=None))
    llama = LlamaModel(
        LlamaConfig(
            vocab_size=4, hidden_size=8, intermediate_size=8, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, pad_token_id=None, bos_token_id=None, eos_token_id=None,
        )
    )  # fmt: skip
    vit = ViTModel(
        ViTConfig(
            hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=8, image_size=4, patch_size=2
        )
    )
    for model, given, shape in (
        (gpt, ids, (2, 8, 4)),
        (llama, ids, (2, 8, 2)),
        (vit, torch.randn(2, 3, 4, 4), (2, 8, 4)),
    ):
        with watch(model) as seen:
            model(given)
        assert [U.shape for U in seen.subspaces] == [shape, shape]
        assert all(bool(one.srr.isfinite().all()) for one in seen.rates())
    U = subspaces_of(gpt.h[0])
    assert torch.equal(U[1], gpt.h[0].attn.c_attn.weight[:, 20:24])


def test_the_penalty_is_of_the_layer_that_is_asked_for():
    torch.manual_seed(0)
    model, x = Crate(8, 4, 10, 12, 3, 3), torch.randn(6, 1, 8, 8)
    with watch(model) as seen:
        model(x)
    means = [one.srr.mean() for one in seen.rates()]
    assert SRRRegulariser(0.5)(seen) == 0.5 * means[2]
    assert SRRRegulariser(0.5, 1)(seen) == 0.5 * means[1]
    random = SRRRegulariser(1.0, "random", seed=1)
    drawn = {round(float(random(seen).detach()), 5) for _ in range(30)}
    assert drawn == {round(float(one.detach()), 5) for one in means}
    SRRRegulariser(1.0)(seen).backward()
    assert bool((model.layers[2].attention.projection.weight.grad != 0).any())


def test_the_page_runs(capsys):
    page, names = Path(__file__).parents[3] / "docs/laws/sparse-rate-reduction.md", {}
    for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        exec(code, names)
    assert "layers.2" in capsys.readouterr().out
    assert names["saved"] > 0
    assert names["scores"].shape == (100, 10)


BASES = torch.ones(2, 4, 2)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: coding_rate(torch.ones(4)),
        lambda: coding_rate(torch.ones(3, 4, dtype=torch.long)),
        lambda: coding_rate(torch.tensor([[1.0, torch.nan]])),
        lambda: coding_rate(torch.ones(3, 4), 0.0),
        lambda: coding_rate(torch.ones(3, 4), dim=0),
        lambda: coding_rate(torch.ones(3, 4), variant="other"),
        lambda: subspace_rate(torch.ones(3, 5), BASES),
        lambda: srr(torch.ones(3, 4), BASES[0]),
        lambda: taylor(torch.ones(3, 4), BASES, eps=-1.0),
        lambda: rate_reduction(torch.ones(3, 4), labels=[0, 1]),
        lambda: subspaces_of(nn.Linear(3, 3)),
        lambda: watch(nn.Linear(3, 3)),
        lambda: watch(Mssa(4, 2), ["out2"]),
        lambda: watch(Mssa(4, 2), [""]).rates(),
        lambda: SRRRegulariser(-1.0),
        lambda: SRRRegulariser(1.0, "first"),
        lambda: SRRRegulariser(1.0, seed=-1),
    ],
)
def test_bad_arguments(ask):
    with pytest.raises(InputError, match=r"must (be|have) .*, got .*; "):
        ask()
