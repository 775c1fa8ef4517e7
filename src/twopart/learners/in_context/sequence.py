"""A transformer as an in-context regressor: tokens x_1, y_1, ..., x_N, y_N, x into a backbone, the answer out of the last.

    backbone = transformers.GPT2Model(GPT2Config(n_embd=64, n_layer=4, n_head=4))     # anything called with `inputs_embeds`
    model = SequenceRegressor(backbone, dimension=20, width=64)
    pretrain(model, ..., optimizer=torch.optim.Adam(model.parameters()))
    readout(model, world, contexts=(5, 10, 20))

A backbone that keeps keys and values (`past_key_values`, as those of Hugging Face do) reads each example once for all lengths;
another reads the prompt again for each. A label's token is (y, 0, ..., 0), as in Garg et al. 2022, arXiv 2208.01066.
"""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from twopart._checks import check_integer


class SequenceRegressor(nn.Module):
    """`backbone(inputs_embeds=(B, L, width))` gives hidden states (B, L, width), or an object with `last_hidden_state`."""

    def __init__(self, backbone: nn.Module, dimension: int, width: int) -> None:
        super().__init__()
        check_integer("dimension", dimension, 1, None, "of the inputs")
        check_integer("width", width, 1, None, "it is that of the backbone")
        self.backbone, self.first = backbone, nn.Linear(dimension, width)
        self.last, self.keeps = nn.Linear(width, 1), "past_key_values" in signature(backbone.forward).parameters

    def forward(self, context: Tensor, labels: Tensor, query: Tensor) -> Tensor:
        """Answers (B,) to queries (B, d) after examples (B, N, d) with labels (B, N)."""
        told = torch.cat([self._tokens(context, labels), self.first(query[:, None])], 1)
        return self._answer(self.backbone(inputs_embeds=told))

    def read(self, context: Tensor, labels: Tensor, state: Any) -> Any:
        """Keys and values after more examples, or the tokens themselves."""
        told = self._tokens(context, labels)
        if not self.keeps:
            return told if state is None else torch.cat([state, told], 1)
        return self.backbone(inputs_embeds=told, past_key_values=state, use_cache=True).past_key_values

    def ask(self, state: Any, query: Tensor) -> Tensor:
        """Answers (B,) to queries (B, d), which leave the keys and values as they were."""
        asked = self.first(query[:, None])
        if not self.keeps:
            return self._answer(self.backbone(inputs_embeds=torch.cat([state, asked], 1)))
        out = self.backbone(inputs_embeds=asked, past_key_values=state, use_cache=True)
        state.crop(-1)
        return self._answer(out)

    def _tokens(self, context: Tensor, labels: Tensor) -> Tensor:
        told = torch.zeros_like(context)
        told[..., 0] = labels
        tokens: Tensor = self.first(torch.stack([context, told], 2).flatten(1, 2))
        return tokens

    def _answer(self, out: Any) -> Tensor:
        hidden = out if isinstance(out, Tensor) else out.last_hidden_state
        answer: Tensor = self.last(hidden[:, -1])[:, 0]
        return answer
