"""How a network learns while it codes: one AdamW update after each block."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from twopart.codes.lossless.neural.lanes import padded, steps
from twopart.codes.lossless.neural.network import Network


class OnlineLearner:
    """AdamW with a warm-up; the rate then falls with the root of the updates."""

    def __init__(self, network: Network, rate: float, warm: int) -> None:
        self._parameters = list(network.model.parameters())
        self._rate, self._warm, self._updates = rate, warm, 0
        self._optimiser = torch.optim.AdamW(self._parameters, lr=rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True)

    def learn(self, network: Network, symbols: NDArray[np.int64]) -> None:
        """See `Learner`."""
        count = steps(len(symbols), network.lanes)
        rows = count * network.lanes
        active = padded(np.ones(len(symbols), np.float32), rows)
        network.gradient(count, torch.from_numpy(padded(symbols, rows)), torch.from_numpy(active))
        self._updates += 1
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate * min(1.0, self._updates / self._warm)
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0, foreach=True)
        self._optimiser.step()
