"""A model's weights as a table: what one cell of a run hands to those that go on from its model."""

from __future__ import annotations

import polars as pl
import torch

from twopart.learners.transformer import Transformer, TransformerConfig


def weights_table(model: Transformer) -> pl.DataFrame:
    """A row for each parameter: its `name`, and its numbers in `weight`, a list of 32-bit floats."""
    named = {name: weight.detach().cpu().flatten().numpy() for name, weight in model.named_parameters()}
    return pl.DataFrame({"name": list(named), "weight": [pl.Series(w, dtype=pl.Float32) for w in named.values()]})


@torch.no_grad()
def with_weights(config: TransformerConfig, weights: pl.DataFrame) -> Transformer:
    """The model of that shape with these weights, on the CPU."""
    model = Transformer(config)
    for name, weight in weights.select("name", "weight").iter_rows():
        model.get_parameter(name).copy_(torch.tensor(weight).view_as(model.get_parameter(name)))
    return model
