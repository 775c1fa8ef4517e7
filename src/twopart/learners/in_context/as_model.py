"""Somebody's module with inputs and outputs of its own, such as a language model of Hugging Face, as an in-context model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn


class AsModel(nn.Module):
    """A module with other inputs and outputs as an in-context model: `readout(module(inputs(x, y, query))) -> scores`.

    `inputs` makes its argument, or a mapping of named ones (such as `inputs_embeds`), from tensors of its own type and device;
    `readout` gets what it returns, whole, and gives scores (B,).
    """

    def __init__(
        self, module: nn.Module, inputs: Callable[[Tensor, Tensor, Tensor], Any], readout: Callable[[Any], Tensor]
    ) -> None:
        super().__init__()
        self.module, self.inputs, self.readout = module, inputs, readout

    def forward(self, x: Tensor, y: Tensor, query: Tensor) -> Tensor:
        given = self.inputs(x, y, query)
        return self.readout(self.module(**given) if isinstance(given, Mapping) else self.module(given))
