"""Heads of transformers, ours, torch's and Hugging Face's: taken away by hooks, against networks that never had them."""

import numpy as np
import pytest
import torch
from torch import nn

from twopart._checks import InputError
from twopart.learners.in_context import (
    InContextRegressor,
    answers,
    find_heads,
    head_importance,
    heads_used,
    probe,
    prune,
)
from twopart.worlds.in_context import SparseRegression

D = 3
PROMPTS = SparseRegression(D, 1).sample(40, 6)
X, Y, QUERY, LABEL = BATCH = tuple(torch.tensor(part) for part in (PROMPTS.x, PROMPTS.y, PROMPTS.query, PROMPTS.label))


def model(heads=(3, 2), **options):
    return InContextRegressor(D, heads, generator=torch.Generator().manual_seed(0), **options).double()


def loss(module):
    return float(np.square(answers(module, PROMPTS) - PROMPTS.label).mean())


@pytest.mark.parametrize("values", ["tokens", "labels"])
def test_linear_attention_is_two_sums(values):
    net = model((2,), values=values)
    (layer,) = net.layers
    tokens = torch.cat([torch.cat([X, QUERY[:, None]], 1), nn.functional.pad(Y, (0, 1))[..., None]], 2)
    tokens = nn.functional.pad(tokens, (0, net.width - D - 1))
    told = tokens[:, :-1] if values == "tokens" else tokens[:, :-1, D : D + 1]
    q, k, v = (w.weight.reshape(2, -1, w.in_features) for w in (layer.query, layer.key, layer.value))
    out = layer.out_proj.weight.reshape(net.width, 2, -1)
    seen = torch.einsum("hca,ba,hce,bie->bhi", q, tokens[:, -1], k, tokens[:, :-1]) / 6
    last = tokens[:, -1] + torch.einsum("bhi,hcf,bif,ohc->bo", seen, v, told, out)
    assert answers(net, PROMPTS) == pytest.approx((last @ net.read.weight[0]).detach().numpy())


def test_softmax_attention_is_that_of_torch():
    net = model((2,), kind="softmax")
    (layer,) = net.layers
    tokens = torch.randn(2, 5, net.width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    twin = nn.MultiheadAttention(2 * net.width, 2, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        twin.in_proj_weight[:] = torch.eye(2 * net.width).repeat(3, 1)
        twin.out_proj.weight[:] = torch.eye(2 * net.width)
    given = layer.query(tokens), layer.key(tokens[:, :-1]), layer.value(tokens[:, :-1])
    assert torch.allclose(layer(tokens), tokens + layer.out_proj(twin(*given)[0]))


def test_a_head_for_each_coordinate_scales_features():
    """Heads that read labels alone, written by hand: what they add to a token is diag(r) x."""
    net = model((D,), values="labels")
    (layer,) = net.layers
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        for h in range(D):
            layer.query.weight[h * net.width + h, h] = layer.key.weight[h * net.width + h, h] = 1
            layer.value.weight[h] = layer.out_proj.weight[D + 1 + h, h] = 1
    caught = []
    layer.register_forward_hook(lambda _m, _a, out: caught.append(out[:, -1, D + 1 :]))
    answers(net, PROMPTS)
    r = torch.einsum("bnd,bn->bd", X, Y) / 6
    assert torch.abs(caught[0] - r * QUERY).max() < 1e-12


@pytest.mark.parametrize("kind", ["linear", "softmax"])
def test_without_a_head_it_is_the_smaller_network(kind):
    net, width = model(kind=kind), 2 * D + 1
    found = head_importance(net, [BATCH])
    assert find_heads(net) == {"layers.0.out_proj": 3, "layers.1.out_proj": 2}
    assert found["head"].to_list() == [0, 1, 2, 0, 1]
    small = model((2, 2), kind=kind)
    state, kept = net.state_dict(), [k for k in range(3 * width) if k // width != 1]
    for name in ("query", "key", "value"):
        state[f"layers.0.{name}.weight"] = state[f"layers.0.{name}.weight"][kept]
    state["layers.0.out_proj.weight"] = state["layers.0.out_proj.weight"][:, kept]
    small.load_state_dict(state)
    assert found["increase"][1] == pytest.approx(loss(small) - loss(net), rel=1e-9)
    assert loss(prune(net, {"layers.0.out_proj": [0, 2]})) == pytest.approx(loss(small))
    spread = np.square(answers(small, PROMPTS) - PROMPTS.label) - np.square(answers(net, PROMPTS) - PROMPTS.label)
    reach = 2.0226909 * spread.std(ddof=1) / np.sqrt(40)  # Student's t with 39 degrees of freedom
    assert (found["high"] - found["low"])[1] == pytest.approx(2 * reach, rel=1e-6)


def test_means_in_a_heads_place():
    """The mean over the batch's tokens of what a head adds goes on being added."""
    net = model()
    found = head_importance(net, [BATCH], ablation="mean")
    heads = []
    handle = net.layers[1].out_proj.register_forward_pre_hook(lambda _m, args: heads.append(args[0].detach()))
    answers(net, PROMPTS)
    handle.remove()
    without = prune(net, {"layers.1.out_proj": [1]})
    width = 2 * D + 1
    mean = net.layers[1].out_proj.weight[:, :width] @ heads[0][..., :width].mean((0, 1))
    without.layers[1].register_forward_hook(lambda _m, _a, out: out + mean.detach())
    assert found["increase"][3] == pytest.approx(loss(without) - loss(net), rel=1e-9)


def test_torchs_attention_never_calls_its_projection_and_is_masked_all_the_same():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 4, 16, 0.1, batch_first=True)
    net = nn.Sequential(nn.TransformerEncoder(layer, 2), nn.Flatten(1), nn.Linear(24, 1), nn.Flatten(0))
    x, y = torch.randn(20, 3, 8), torch.randn(20)
    net[0].layers[0].dropout.eval()
    before, modes = {n: p.clone() for n, p in net.state_dict().items()}, [m.training for m in net.modules()]
    found = head_importance(net, [(x, y)])
    assert [m.training for m in net.modules()] == modes, "left as it was"
    assert all(torch.equal(p, before[n]) for n, p in net.state_dict().items())
    name = "0.layers.1.self_attn"
    assert find_heads(net) == {"0.layers.0.self_attn": 4, name: 4}
    net.eval()
    with torch.no_grad():
        whole, without = (float((m(x) - y).square().mean()) for m in (net, prune(net, {name: [0, 1, 3]})))
    assert found.filter(layer=name)["increase"][2] == pytest.approx(without - whole, rel=1e-4)


def test_hugging_faces_attention_is_found():
    transformers = pytest.importorskip("transformers")
    size = {"n_embd": 8, "n_layer": 2, "n_head": 2, "vocab_size": 11, "n_positions": 8, "loss_type": "ForCausalLM"}
    gpt = transformers.GPT2LMHeadModel(transformers.GPT2Config(**size, bos_token_id=0, eos_token_id=0))
    assert find_heads(gpt) == {"transformer.h.0.attn.c_proj": 2, "transformer.h.1.attn.c_proj": 2}
    ids = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    batches = [{"input_ids": part[None], "labels": part[None]} for part in ids]
    found = head_importance(gpt, batches)
    gpt.eval()
    cut = prune(gpt, {"transformer.h.1.attn.c_proj": [1]})
    with torch.no_grad():
        rise = np.mean([float(cut(**b).loss - gpt(**b).loss) for b in batches])
    assert found["increase"][2] == pytest.approx(rise, abs=1e-6)


def test_attention_is_found_by_the_names_that_transformers_give():
    """As in Llama, BERT, T5, DistilBERT and GPT-NeoX; a layer of their perceptrons is none."""

    def nested(name, **own):
        part = nn.Linear(4, 4)
        for step in reversed(name.split(".")):
            whole = nn.Module()
            whole.add_module(step, part)
            part = whole
        for key, value in own.items():
            setattr(part, key, value)
        return part

    class Config:
        num_attention_heads = 2

    names = ("layers.0.self_attn.o_proj", "encoder.layer.0.attention.output.dense", "block.0.SelfAttention.o",
             "layer.0.attention.out_lin", "layers.0.attention.dense")  # fmt: skip
    for name in names:
        assert find_heads(nested(name, config=Config)) == {name: 2}
    for name in ("encoder.layer.0.output.dense", "layers.0.mlp.c_proj"):
        with pytest.raises(InputError):
            find_heads(nested(name, config=Config))
    assert find_heads(nested("out_proj", num_heads=2)) == {"out_proj": 2}


def test_the_number_of_heads_that_a_layer_uses():
    import polars as pl

    rows = {"layer": ["a"] * 4 + ["b"] * 2 + ["c"], "increase": [1.0, 1.0, 1.0, 1.0, 3.0, -1.0, 0.0]}
    used = heads_used(pl.DataFrame(rows))
    assert used["a"] == pytest.approx(4)
    assert used["b"] == pytest.approx(1)
    assert np.isnan(used["c"])
    skew = heads_used(pl.DataFrame({"layer": ["a", "a"], "increase": [3.0, 1.0]}))["a"]
    assert skew == pytest.approx(np.exp(0.75 * np.log(4 / 3) + 0.25 * np.log(4)))


def test_a_probe_is_a_fit_on_one_half_asked_on_the_other():
    net = model()
    caught = []
    net.layers[0].register_forward_hook(lambda _m, _a, out: caught.append(out[:, -1].detach().numpy()))
    risk = probe(net, [BATCH], ["layers.0", "layers.1"])
    x = np.c_[caught[0], np.ones(40)]
    w = np.linalg.lstsq(x[::2], PROMPTS.label[::2], rcond=1e-4)[0]
    assert risk["layers.0"] == pytest.approx(np.square(x[1::2] @ w - PROMPTS.label[1::2]).mean(), rel=1e-3)
    assert list(risk) == ["layers.0", "layers.1"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: find_heads(nn.Linear(2, 2)), "`module` must be one whose heads are found"),
        (lambda: head_importance(model(), [BATCH], ablation="none"), "`ablation` must be"),
        (lambda: head_importance(model(), []), "`batches` must be at least 2"),
        (lambda: head_importance(model(), [(X, Y, QUERY, Y)]), "`batches` must be with targets"),
        (lambda: head_importance(model(), [BATCH], layers={"nowhere": 2}), "`layers` must be the name"),
        (
            lambda: head_importance(model(), [BATCH], layers={"layers.0.out_proj": 2}),
            "`layers` must be numbers of heads",
        ),
        (lambda: prune(model(), {"nowhere": [0]}), "`keep` must be a layer"),
        (lambda: prune(model(), {"layers.0.out_proj": [3]}), "`keep` must be a whole"),
        (lambda: probe(model(), [BATCH], ["nowhere"]), "`names` must be submodules"),
        (lambda: probe(model(), [], ["layers.0"]), "`batches` must be"),
        (lambda: InContextRegressor(0, (1,)), "`dimension` must be"),
        (lambda: InContextRegressor(2, ()), "`heads` must be"),
        (lambda: InContextRegressor(2, (0,)), "`heads` must be"),
        (lambda: InContextRegressor(2, (1,), width=2), "`width` must be"),
        (lambda: InContextRegressor(2, (1,), kind="hard"), "`kind` must be"),
        (lambda: InContextRegressor(2, (1,), values="keys"), "`values` must be"),
        (lambda: model()(X, Y[:, :2], QUERY), "`y` must be of shape"),
        (lambda: model()(X[..., :2], Y, QUERY), "`x` must be of shape"),
    ],
)
def test_bad_arguments_are_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()
