"""The balance of features: filters against plain products, modules against filters, real digits on the page."""

import math
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from twopart._checks import InputError
from twopart.learners.features import feature_balance

PAGE = Path(__file__).parents[3] / "docs/laws/diffusion-feature-learning.md"


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


W, SIGNAL, NOISE = random(2, 3, 7), random(2, 4, 7, seed=1), random(2, 5, 7, seed=2)


def test_filters_against_plain_loops():
    found = feature_balance(W, SIGNAL, NOISE)
    for b in range(2):
        answers = [[[abs(float(w @ v)) for w in W[b]] for v in part[b]] for part in (SIGNAL, NOISE)]
        means = [sum(map(sum, part)) / len(part) for part in answers]
        squares = [sum(a * a for row in part for a in row) / len(part) for part in answers]
        assert float(found.ratio[b]) == pytest.approx(means[0] / means[1])
        assert float(found.root_ratio[b]) == pytest.approx(math.sqrt(squares[0] / squares[1]))
        by = [sum(row[1] for row in part) / len(part) for part in answers]
        assert float(found.by_feature[b, 1]) == pytest.approx(by[0] / by[1])
    assert found.by_feature.shape == (2, 3)
    alone = feature_balance(W[1].float(), SIGNAL[1].float(), NOISE[1].float())
    assert alone.signal.dtype == torch.float32
    assert float(alone.ratio) == pytest.approx(float(found.ratio[1]), rel=1e-5)


def test_a_module_answers_with_what_an_input_changes():
    layer = nn.Linear(7, 3, dtype=torch.float64)
    layer.weight.data = W[0]
    found, filters = feature_balance(layer, SIGNAL[0], NOISE[0]), feature_balance(W[0], SIGNAL[0], NOISE[0])
    assert torch.allclose(found.signal, filters.signal)
    assert not found.signal.requires_grad
    at = random(7, seed=3)
    square = feature_balance(lambda x: (x @ W[0].T) ** 2, SIGNAL[0], NOISE[0], at=at)
    assert torch.allclose(square.noise, ((at + NOISE[0]) @ W[0].T) ** 2 - (at @ W[0].T) ** 2)


def test_images_of_any_shape():
    torch.manual_seed(0)
    trunk = nn.Conv2d(1, 2, 3, dtype=torch.float64)
    signal = torch.ones(2, 1, 5, 5, dtype=torch.float64)
    found = feature_balance(trunk, signal, torch.full((3, 1, 5, 5), 0.5, dtype=torch.float64))
    assert found.signal.shape == (2, 18)
    assert float(found.ratio) == pytest.approx(2.0)


BAD = [
    (lambda: feature_balance(W[0, 0], SIGNAL, NOISE), "encoder"),
    (lambda: feature_balance(W * math.inf, SIGNAL, NOISE), "encoder"),
    (lambda: feature_balance(W, SIGNAL[..., :6], NOISE), "signal"),
    (lambda: feature_balance(W, SIGNAL, NOISE[0]), "noise"),
    (lambda: feature_balance(W, SIGNAL, NOISE, at=NOISE[0, 0]), "at"),
    (lambda: feature_balance(abs, SIGNAL, NOISE[..., :6]), "noise"),
    (lambda: feature_balance(abs, SIGNAL * math.nan, SIGNAL), "signal"),
    (lambda: feature_balance(abs, SIGNAL, NOISE.numpy()), "noise"),
    (lambda: feature_balance(abs, SIGNAL[0], NOISE[0], at=random(3)), "signal"),
    (lambda: feature_balance(torch.log, SIGNAL[0], NOISE[0]), "encoder"),
    (lambda: feature_balance(torch.sum, SIGNAL[0], NOISE[0]), "encoder"),
    (lambda: feature_balance(lambda x: (x,), SIGNAL[0], NOISE[0]), "encoder"),
    (lambda: feature_balance(None, SIGNAL[0], NOISE[0]), "encoder"),
    (lambda: feature_balance(nn.BatchNorm1d(7), SIGNAL[0], NOISE[0]), "encoder"),
    (lambda: feature_balance(nn.Sequential(nn.Dropout()), SIGNAL[0], NOISE[0]), "encoder"),
    (lambda: feature_balance(W, SIGNAL.float(), NOISE), "signal"),
    (lambda: feature_balance(abs, SIGNAL[0], NOISE[0], at=[0.0]), "signal"),
]


@pytest.mark.parametrize(("call", "name"), BAD)
def test_refusals(call, name):
    with pytest.raises(InputError, match=rf"^`{name}` must be .+, got .+; .+"):
        call()


def test_the_page(capsys):
    """Real digits whose noise is ten times as large: the denoiser lifts the strokes; then the exact loss and the law."""
    space = {}
    for block in re.findall(r"```python\n(.+?)```", PAGE.read_text(), re.DOTALL):
        exec(block, space)
    classify, denoise, law = capsys.readouterr().out.splitlines()
    before, after = map(float, classify.split()[1:])
    assert after < 1.6 * before
    assert float(denoise.split()[2]) > 2.5 * float(denoise.split()[1])
    assert [float(v) for v in law.split()] == pytest.approx([1.0, 1.17, 5.07], abs=0.01)
    assert space["filters"].grad.abs().sum() > 0
