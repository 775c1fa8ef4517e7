"""Readers count what a classifier says, whoever made it, and read layers through hooks that are gone afterwards."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from twopart._checks import InputError
from twopart.learners.in_context import AsModel, GradientTransformer, hijack_curve, layer_logits, safe_tokens
from twopart.worlds.in_context import HijackedClassification

WORLD = HijackedClassification(4)
PAIRS = WORLD.pairs(50)


def nearest_mean(x, y, query):
    """Somebody's classifier of arrays: the sum of labels, weighed by inner products, against a prior of its own."""
    return query @ WORLD.prior + (y * np.einsum("tnd,td->tn", x, query)).sum(1) / 8


def test_errors_and_intervals_are_counted():
    curve = hijack_curve(nearest_mean, PAIRS, (1, 4, 64))
    for n, error, low, high in zip(*curve, strict=True):
        prompts = PAIRS.prompts(int(n))
        wrong = int((nearest_mean(prompts.x, prompts.y, prompts.query) <= 0).sum())
        interval = binomtest(wrong, 50).proportion_ci(0.95, "exact")
        assert (error, low, high) == pytest.approx((wrong / 50, interval.low, interval.high), abs=1e-9)
    assert len(set(curve.error)) == 3
    for sure in (1.0, -1.0):
        curve = hijack_curve(lambda x, y, q, sure=sure: np.full(len(q), sure), PAIRS, [1])
        interval = binomtest(int(50 * (sure < 0)), 50).proportion_ci(0.95, "exact")
        assert (curve.low[0], curve.high[0]) == pytest.approx((interval.low, interval.high))


def test_labels_of_both_classes_count():
    arrays = (PAIRS.hijacker, PAIRS.query, np.where(np.arange(50) % 2, 1.0, -1.0))
    constant = hijack_curve(lambda x, y, q: np.zeros(len(q)), arrays, [1])
    assert constant.error[0] == 0.5, "a score of 0 is no +1"
    followed = hijack_curve(lambda x, y, q: y[:, 0], arrays, [1])
    assert followed.error[0] == 1


def test_worlds_arrays_modules_and_batches_agree():
    world = hijack_curve(nearest_mean, WORLD, (1, 4), count=50)
    arrays = PAIRS.hijacker.astype(np.float32), torch.tensor(PAIRS.query), [1.0] * 50

    def of_tensors(x, y, q):
        return q @ torch.tensor(WORLD.prior).to(q) + (y * (x * q[:, None]).sum(2)).sum(1) / 8

    for other in (
        hijack_curve(nearest_mean, arrays, (1, 4), batch=7),
        hijack_curve(of_tensors, PAIRS, (1, 4), tensors=True),
        hijack_curve(AsModel(torch.nn.Identity(), lambda *given: given, lambda g: of_tensors(*g)), PAIRS, (1, 4)),
    ):
        np.testing.assert_array_equal(other.error, world.error)
    moved = hijack_curve(nearest_mean, WORLD, (2,), jitter=2.0)
    assert moved.error[0] != hijack_curve(nearest_mean, WORLD, (2,)).error[0]


class Blocks(torch.nn.Module):
    """In the manner of Hugging Face: named inputs, layers that return tuples, an output with `logits`."""

    class Block(torch.nn.Module):
        def __init__(self, scale):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(scale))

        def forward(self, hidden):
            return hidden + self.scale * hidden.mean(1, keepdim=True), None

    def __init__(self):
        super().__init__()
        self.h = torch.nn.ModuleList(Blocks.Block(scale) for scale in (1.0, -3.0))

    def forward(self, inputs_embeds):
        hidden = inputs_embeds
        for block in self.h:
            hidden, _ = block(hidden)
        return SimpleNamespace(logits=hidden)


def test_a_module_with_other_inputs_is_read_layer_by_layer():
    def inputs(x, y, query):
        return {"inputs_embeds": torch.cat([x * y[..., None], query[:, None]], 1)}

    module = Blocks()
    model = AsModel(module, inputs, lambda out: out.logits[:, -1].sum(-1))
    prompts = PAIRS.prompts(3)
    found = layer_logits(model, prompts, ["module.h.0", "module.h.1"], lambda hidden: hidden[:, -1].sum(-1), batch=8)
    hidden = np.concatenate([prompts.x * prompts.y[..., None], prompts.query[:, None]], 1)
    for scale, said in zip((1.0, -3.0), found, strict=True):
        hidden = hidden + scale * hidden.mean(1, keepdims=True)
        np.testing.assert_allclose(said, hidden[:, -1].sum(-1), rtol=1e-4, atol=1e-5)
    assert not any(part._forward_hooks for part in model.modules())
    with pytest.raises(InputError, match="readout"):
        layer_logits(model, prompts, ["module.h.0"], lambda hidden: hidden)
    assert not any(part._forward_hooks for part in model.modules())


def test_a_linear_transformers_layers_need_no_names():
    model = GradientTransformer(3, 4, isotropic=True).double().set(torch.ones(4).double(), 0.03)
    prompts = PAIRS.prompts(5)
    found = layer_logits(model, prompts)
    assert found.shape == (4, 50)
    np.testing.assert_allclose(found[0], prompts.query.sum(1))
    for k in (1, 2, 3):
        shorter = GradientTransformer(k, 4, isotropic=True).double().set(torch.ones(4).double(), 0.03)
        np.testing.assert_allclose(found[k], layer_logits(shorter, prompts)[-1])


def test_up_to_the_safe_number_no_layer_overshoots():
    random = torch.Generator().manual_seed(0)
    model = GradientTransformer(2, 4).double()
    with torch.no_grad():
        model.steps.copy_(torch.eye(4) * 0.05 + 0.01 * torch.randn(2, 4, 4, generator=random))
        model.initial.copy_(torch.ones(4))
    safe = safe_tokens(model, norm=2.0)
    symmetric = (model.steps[0] + model.steps[0].T) / 2
    worst = torch.linalg.eigh(symmetric)[1][:, -1].detach()
    for n, most in ((int(safe[0]), 1.0), (int(np.ceil(safe[0])), np.inf)):
        x = 2 * worst.expand(1, n, 4)
        growth = model.growth(x, torch.ones(1, n).double())[0, 0].item()
        assert growth <= most
    assert growth > 1
    np.testing.assert_allclose(safe_tokens([0.1, 0.0, -1.0], norm=2.0), [5, np.inf, 0])


@pytest.mark.parametrize(("name", "call"), [
    ("world_or_pairs", lambda: hijack_curve(nearest_mean, (PAIRS.query,), [1])),
    ("hijacker", lambda: hijack_curve(nearest_mean, ([[np.nan]], [[1.0]], [1.0]), [1])),
    ("label", lambda: hijack_curve(nearest_mean, ([[1.0]], [[1.0]], [0.5]), [1])),
    ("tokens", lambda: hijack_curve(nearest_mean, WORLD, ())),
    ("tokens", lambda: hijack_curve(nearest_mean, WORLD, (0,))),
    ("jitter", lambda: hijack_curve(nearest_mean, WORLD, (1,), jitter=np.inf)),
    ("count", lambda: hijack_curve(nearest_mean, WORLD, (1,), count=0)),
    ("model", lambda: hijack_curve(lambda x, y, q: q, WORLD, (1,))),
    ("names", lambda: layer_logits(torch.nn.Linear(1, 1), PAIRS.prompts(1))),
    ("names", lambda: layer_logits(torch.nn.Linear(1, 1), PAIRS.prompts(1), ["h.9"], lambda h: h)),
    ("readout", lambda: layer_logits(torch.nn.Linear(1, 1), PAIRS.prompts(1), [""])),
    ("norm", lambda: safe_tokens([0.1], 0.0)),
    ("model", lambda: safe_tokens([np.nan], 1.0)),
    ("model", lambda: safe_tokens(np.ones((2, 2)), 1.0)),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(name, call):
    with pytest.raises(InputError, match=rf"`{name}` must be .+, got .+; .+"):
        call()


def test_the_page_runs():
    """The blocks of docs/laws/context-hijacking.md: somebody's encoder, then real digits by law."""
    page = (Path(__file__).parents[3] / "docs/laws/context-hijacking.md").read_text()
    blocks, names = re.findall(r"```python\n(.*?)```", page, flags=re.S), {}
    assert len(blocks) == 2
    exec(blocks[0], names)
    assert names["turned"].shape == (2, 100)
    assert (names["curve"].low <= names["curve"].error).all()
    exec(blocks[1], names)
    wrong = names["exact"] * names["pairs"].label
    np.testing.assert_allclose(names["curve"].error, (wrong < 0).mean(1))
    rows = {line.split("|")[1].strip(): line.split("|")[2:] for line in page.splitlines() if line.startswith("| L =")}
    assert names["curve"].error == pytest.approx([float(rows["L = 2"][k]) for k in (0, 1, 4)], abs=5e-4)
    assert names["law"].value[0] > 5 * names["curve"].error[0]
