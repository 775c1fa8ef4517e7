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

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from twopart._checks import InputError, check, check_real


class WeightAverage(nn.Module):
    """Averages of the floating-point parameters of `module`, which stays whole; its buffers are not averaged.

    They cost its memory once for each decay. `state_dict` and `to` are those of the averages, not of the module.
    """

    updates: Tensor

    def __init__(self, module: nn.Module, decay: float | Sequence[float] = 0.999, bias_correction: bool = True) -> None:
        """`decay` τ in [0, 1), one or several distinct ones: a memory of about 1/(1 - τ) updates.

        Without `bias_correction` the averages start from the weights as they are, as `torch.optim.swa_utils` has it, and
        nothing is divided: they remember the start with weight τ^t.
        """
        super().__init__()
        decays = [decay] if isinstance(decay, int | float) else list(decay)
        self.decays = [check_real("decay", one, 0, 1, "0.999 remembers 1000 updates", closed="[)") for one in decays]
        check(len(decays) == len({*decays}) > 0, "decay", decay, "one or more distinct numbers", "leave out copies")
        self.bias_correction, self._held = bias_correction, (module,)  # in a tuple: no part of this module
        self._weights = [p for p in module.parameters() if p.is_floating_point()]
        check(bool(self._weights), "module", type(module).__name__, "one with parameters", "build it first")
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        for k, i in ((k, i) for k in range(len(decays)) for i in range(len(self._weights))):
            first = self._weights[i].detach()
            self.register_buffer(f"average_{k}_{i}", torch.zeros_like(first) if bias_correction else first.clone())

    @torch.no_grad()
    def update(self) -> None:
        """After each step of the optimiser."""
        self.updates += 1
        for k, τ in enumerate(self.decays):
            torch._foreach_lerp_(self._averages(k), [p.detach() for p in self._weights], 1 - τ)

    @contextmanager
    def swap(self, decay: float | None = None) -> Iterator[nn.Module]:
        """The module with the averaged weights, in place; afterwards weights and buffers are again what they were.

        `decay` may be left out where there is one; `copy.deepcopy` of what is yielded is a model to keep. Raises `InputError`
        before the first update, and for an unknown decay.
        """
        τ = self.decays[0] if decay is None and len(self.decays) == 1 else decay
        check(τ in self.decays, "decay", decay, f"one of {self.decays}", "name it when building the average")
        if not (t := int(self.updates)):
            raise InputError("`update` must be called before `swap`, got 0 updates; call it after each optimiser step")
        weight = 1 - float(τ) ** t if self.bias_correction else 1.0  # type: ignore[arg-type]
        moved = [*self._weights, *self._held[0].buffers()]
        own = [tensor.detach().clone() for tensor in moved]
        try:
            self._fill(self._weights, [a / weight for a in self._averages(self.decays.index(τ))])  # type: ignore[arg-type]
            yield self._held[0]
        finally:
            self._fill(moved, own)

    def _averages(self, k: int) -> list[Tensor]:
        return [self.get_buffer(f"average_{k}_{i}") for i in range(len(self._weights))]

    @staticmethod
    @torch.no_grad()
    def _fill(targets: Sequence[Tensor], values: Sequence[Tensor]) -> None:
        for target, value in zip(targets, values, strict=True):
            target.copy_(value)
