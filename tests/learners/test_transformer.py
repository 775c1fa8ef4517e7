"""The model against Hugging Face's, and against its own definition."""

from __future__ import annotations

import torch

from twopart.learners import Transformer, TransformerConfig


def test_parameter_count_is_exact() -> None:
    for config in (TransformerConfig(50, 7), TransformerConfig(11, 3, 1, 12, 3), TransformerConfig(9, 4, 3, 8, 1, 5)):
        assert config.parameters == sum(weight.numel() for weight in Transformer(config).parameters())


def test_no_position_sees_what_follows() -> None:
    model = Transformer(TransformerConfig(20, 6, 2, 16, 2), seed=1)
    tokens = torch.randint(0, 20, (3, 6), generator=torch.Generator().manual_seed(0))
    changed = tokens.clone()
    changed[:, 4] = (changed[:, 4] + 1) % 20
    before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :4], after[:, :4])
    assert (before[:, 4:] - after[:, 4:]).abs().amin(dim=(1, 2)).gt(0).all() or not torch.equal(
        before[:, 4:], after[:, 4:]
    )
