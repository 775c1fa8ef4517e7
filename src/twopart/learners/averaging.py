"""Exponentially weighted averages of a module's weights, several memories at once from one run.

    average = WeightAverage(model, decay=(0.99, 0.999))
    for batch in batches:
        ...
        optimiser.step()
        average.update()
    with average.swap(0.99):                                  # the model has the average for the while
        torch.optim.swa_utils.update_bn(loader, model)        # where it has batch norms: their statistics are of other weights
        evaluate(model)

With a constant learning rate such an average replaces a schedule, whose end would have to be known (Zhang et al. 2024, arXiv
2410.21676): w̄ ← τ w̄ + (1 - τ) w from w̄ = 0, divided by 1 - τ^t.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from twopart._checks import InputError, check, check_real


class WeightAverage:
    """Averages of the parameters of `module`, each of their type and on their device; buffers are not averaged.

    Integers among the parameters, and buffers, are the module's own at any time. Copies cost the module's memory once for
    each decay.
    """

    def __init__(self, module: nn.Module, decay: float | Sequence[float] = 0.999, bias_correction: bool = True) -> None:
        """`decay` τ in [0, 1), one or several distinct ones; a memory of about 1/(1 - τ) updates.

        Without `bias_correction` the averages start from the weights as they are, as `torch.optim.swa_utils` has it, and
        nothing is divided: they remember the start with weight τ^t.
        """
        decays = [decay] if isinstance(decay, int | float) else list(decay)
        decays = [check_real("decay", one, 0, 1, "0.999 remembers 1000 updates", closed="[)") for one in decays]
        check(len(decays) == len(set(decays)) > 0, "decay", decay, "one or more distinct numbers", "leave out copies")
        self.module, self.decays, self.bias_correction, self.updates = module, tuple(decays), bias_correction, 0
        self._weights = [p for p in module.parameters() if p.is_floating_point() or p.is_complex()]
        check(bool(self._weights), "module", type(module).__name__, "one with parameters", "build it first")
        first = torch.zeros_like if bias_correction else torch.clone
        self._averages = {τ: [first(p.detach()) for p in self._weights] for τ in decays}

    @torch.no_grad()
    def update(self) -> None:
        """After each step of the optimiser."""
        self.updates += 1
        weights = [p.detach() for p in self._weights]
        for τ, average in self._averages.items():
            torch._foreach_lerp_(average, weights, 1 - τ)

    @contextmanager
    def swap(self, decay: float | None = None) -> Iterator[nn.Module]:
        """The module with the averaged weights, in place; afterwards weights and buffers are again what they were.

        `decay` may be left out where there is one. Raises `InputError` before the first update, and for an unknown decay.
        """
        averages = self._corrected(decay)
        own = [p.detach().clone() for p in self._weights]
        buffers = [b.detach().clone() for b in self.module.buffers()]
        try:
            self._fill(self._weights, averages)
            yield self.module
        finally:
            self._fill(self._weights, own)
            self._fill(list(self.module.buffers()), buffers)

    def averaged(self, decay: float | None = None) -> nn.Module:
        """A copy of the module with the averaged weights, to be kept."""
        with self.swap(decay) as module:
            return copy.deepcopy(module)

    def state_dict(self) -> dict[str, Any]:
        """What a run needs to go on, with copies of the averages."""
        averages = {τ: [a.clone() for a in average] for τ, average in self._averages.items()}
        return {"updates": self.updates, "bias_correction": self.bias_correction, "averages": averages}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave. Raises `InputError` if it is of other decays, shapes or bias correction."""
        shapes = [tuple(p.shape) for p in self._weights]
        fits = state["bias_correction"] == self.bias_correction and set(state["averages"]) == set(self.decays)
        fits = fits and all([tuple(a.shape) for a in average] == shapes for average in state["averages"].values())
        check(fits, "state", list(state["averages"]), f"of decays {self.decays} and this module", "build both alike")
        self.updates = int(state["updates"])
        for τ, average in state["averages"].items():
            self._fill(self._averages[τ], average)

    def _corrected(self, decay: float | None) -> list[Tensor]:
        if decay is None and len(self.decays) == 1:
            decay = self.decays[0]
        check(decay in self._averages, "decay", decay, f"one of {self.decays}", "name it when building the average")
        if self.updates == 0:
            raise InputError("`update` must be called before `swap`, got 0 updates; call it after each optimiser step")
        τ = float(decay)  # type: ignore[arg-type]
        weight = -math.expm1(self.updates * math.log(τ)) if self.bias_correction and τ else 1.0
        return [average / weight for average in self._averages[τ]]

    @staticmethod
    @torch.no_grad()
    def _fill(targets: Sequence[Tensor], values: Sequence[Tensor]) -> None:
        for target, value in zip(targets, values, strict=True):
            target.copy_(value)
