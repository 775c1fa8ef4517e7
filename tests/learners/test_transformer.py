"""The model against its own definition: sizes, causality, seeds, bad shapes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from twopart._checks import InputError
from twopart.learners import Transformer, TransformerConfig


def tokens(vocabulary: int, *shape: int) -> torch.Tensor:
    return torch.randint(0, vocabulary, shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "config",
    [
        TransformerConfig(50, 7),
        TransformerConfig(11, 3, layers=1, width=12, heads=3),
        TransformerConfig(9, 4, layers=3, width=8, heads=1, hidden=5),
    ],
)
def test_parameter_count_is_exact(config: TransformerConfig) -> None:
    assert config.parameters == sum(weight.numel() for weight in Transformer(config).parameters())


def test_flops_are_those_that_pytorch_counts() -> None:
    """PyTorch counts the multiplications and additions of every product of the same model in Hugging Face's hands."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = TransformerConfig(40, 10, layers=2, width=16, heads=2, hidden=24)
    theirs = LlamaForCausalLM._from_config(
        LlamaConfig(
            vocab_size=40,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            tie_word_embeddings=True,
        ),
        attn_implementation="eager",
    )
    ids = tokens(40, 3, 10)
    with FlopCounterMode(display=False) as counter:
        theirs(input_ids=ids, labels=ids).loss.backward()
    counted = counter.get_total_flops()
    rotary = 3 * 2 * 10 * 4  # angles = positions x frequencies, once for each sentence, written as a product
    assert counted - config.flops_per_token * 30 in range(rotary + 1)


@pytest.mark.parametrize("length", [6, 30])
def test_no_position_sees_what_follows(length: int) -> None:
    """In the loop for short sentences and in PyTorch's attention for long ones."""
    model = Transformer(TransformerConfig(20, length, 2, 16, 2), seed=1)
    before = tokens(20, 3, length)
    after = before.clone()
    after[:, 4] = (after[:, 4] + 1) % 20
    one, other = model(before), model(after)
    assert torch.equal(one[:, :4], other[:, :4])
    assert (one[:, 4:] - other[:, 4:]).abs().amax(2).gt(0).all()


def test_positions_matter_and_sentences_do_not_mix() -> None:
    model = Transformer(TransformerConfig(20, 6, 1, 16, 2))
    ids = tokens(20, 4, 6)
    torch.testing.assert_close(model(ids)[2:3], model(ids[2:3]), rtol=1e-5, atol=1e-6)
    swapped = ids[:1, [1, 0, 2, 3, 4, 5]]
    assert not torch.allclose(model(ids[:1])[:, -1], model(swapped)[:, -1], atol=1e-6)


def test_double_precision_differs_by_rounding_only() -> None:
    model = Transformer(TransformerConfig(20, 6, 2, 16, 2), seed=2)
    ids = tokens(20, 4, 6)
    single = model(ids)
    double = model.double()(ids)
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-5)


def test_the_seed_fixes_the_weights() -> None:
    config = TransformerConfig(20, 6, 1, 16, 2)
    same = zip(Transformer(config, 3).parameters(), Transformer(config, 3).parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in same)
    assert not torch.equal(Transformer(config, 3).embedding, Transformer(config, 4).embedding)


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        ({"vocabulary": 1}, "vocabulary"),
        ({"context": 0}, "context"),
        ({"layers": 0}, "layers"),
        ({"heads": 0}, "heads"),
        ({"width": 30}, "width"),
        ({"width": 12, "heads": 4}, "width"),
        ({"hidden": 0}, "hidden"),
        ({"width": 64.0}, "width"),
    ],
)
def test_bad_shapes_are_refused(shape: dict[str, Any], name: str) -> None:
    with pytest.raises(InputError, match=f"`{name}` must be"):
        TransformerConfig(**{"vocabulary": 10, "context": 4, **shape})
