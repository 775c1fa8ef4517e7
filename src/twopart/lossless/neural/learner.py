"""How a network learns while it codes: one AdamW update after each block."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from twopart.learners.schedules import Schedule
from twopart.lossless.neural.lanes import padded, steps
from twopart.lossless.neural.network import Network

CLIP = 1.0
"""Longest gradient; longer ones are scaled down to it."""


class OnlineLearner:
    """AdamW on a schedule. `updates` is how many there will be, where the schedule asks; it may be 1 if it does not."""

    def __init__(self, network: Network, rate: float, schedule: Schedule, updates: int = 1) -> None:
        self._parameters = list(network.model.parameters())
        self._rate, self._schedule, self._updates, self._done = rate, schedule, updates, 0
        self._optimiser = torch.optim.AdamW(self._parameters, lr=rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True)

    def learn(self, network: Network, symbols: NDArray[np.int64]) -> None:
        """See `Learner`."""
        count = steps(len(symbols), network.lanes)
        rows = count * network.lanes
        active = padded(np.ones(len(symbols), np.float32), rows)
        network.gradient(count, torch.from_numpy(padded(symbols, rows)), torch.from_numpy(active))
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate * self._schedule.factor(self._done, self._updates)
        torch.nn.utils.clip_grad_norm_(self._parameters, CLIP, foreach=True)
        self._optimiser.step()
        self._done += 1
