"""A model that went through a table."""

import torch

from twopart.learners import Transformer, TransformerConfig, weights_table, with_weights


def test_weights_come_back() -> None:
    model = Transformer(TransformerConfig(20, 4, 1, 8, 2), seed=3)
    table = weights_table(model)
    back = with_weights(model.config, table)
    assert table["weight"].list.len().sum() == model.config.parameters
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), back.parameters(), strict=True))
