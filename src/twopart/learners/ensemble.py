"""Many modules of one architecture, trained at once: each is what it would be alone.

    ensemble = Ensemble([make_model() for _ in range(8)])
    adam = torch.optim.Adam(ensemble.parameters(), lr=1e-3)
    ensemble.fit(batches, lambda model, x, y: cross_entropy(model(x), y), adam)      # x (8, B, ...), y (8, B): own data
    scores = ensemble(x_test, shared=True)                                           # (8, B, classes), on the same inputs
    models = ensemble.members()                                                      # the modules that were given, trained

Weights are stacked along a first axis and modules run by `torch.func.vmap`: a step costs what one large module's does.
Optimisers that go entry by entry (SGD, Adam and their kin), with any schedule, move each member as if it were alone; those that
mix entries (LBFGS, Muon), and a norm of gradients over all `parameters()`, would mix members.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.optim.lr_scheduler import LRScheduler

from twopart._checks import check


class Ensemble:
    """R modules of one class, with parameters and buffers of one shape, type and device, that `torch.func.vmap` can run.

    The modules keep their weights until `members`. Raises `InputError` where they are none or differ in shape.
    """

    weights: dict[str, Tensor]
    """Parameters by name, leaves of shape (R, ...); those that are frozen in the modules are frozen here."""
    buffers: dict[str, Tensor]
    """Buffers by name, (R, ...)."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.modules = list(modules)
        kinds = {(type(m), *((name, t.shape, t.requires_grad) for name, t in _state(m).items())) for m in self.modules}
        check(len(kinds) == 1, "modules", f"{len(kinds)} of them", "of one architecture", "give at least one")
        self.weights, self.buffers = stack_module_state(self.modules)

    def parameters(self) -> list[Tensor]:
        """What an optimiser takes."""
        return [weight for weight in self.weights.values() if weight.requires_grad]

    def train(self, mode: bool = True) -> None:
        """The mode in which modules are called, at first that of the first one."""
        for module in self.modules:
            module.train(mode)

    def __call__(self, *inputs: Any, shared: bool = False) -> Any:
        """What each module makes of its own part of the inputs, (R, ...), or all of the same if `shared`."""
        return self.each(lambda module, *own: module(*own), *inputs, shared=shared)

    def each(self, function: Callable[..., Any], *inputs: Any, shared: bool = False) -> Any:
        """`function(module, *inputs)` of each module, stacked: its loss, for example. Random draws are each module's own."""
        asked = _Asked(self.modules[0], function)

        def one(state: dict[str, Tensor], own: tuple[Any, ...]) -> Any:
            return functional_call(asked, {f"module.{name}": value for name, value in state.items()}, own)

        mapped = vmap(one, (0, None if shared else 0), randomness="different")
        return mapped(self.weights | self.buffers, inputs)

    def step(self, losses: Tensor, optimiser: torch.optim.Optimizer) -> None:
        """A step of every member on its own loss, (R,)."""
        optimiser.zero_grad()
        losses.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    def fit(
        self, batches: Iterable[Sequence[Any]], loss: Callable[..., Tensor], optimiser: torch.optim.Optimizer, *,
        schedule: LRScheduler | None = None, on_step: Callable[[int, Tensor], None] | None = None,
    ) -> None:  # fmt: skip
        """A step for each of `batches`, whose parts are (R, ...), on `loss(module, *batch)`, a number.

        `schedule` steps after the optimiser, then `on_step(i, losses (R,))` is called, i from 1.
        """
        for i, batch in enumerate(batches, 1):
            losses = self.each(loss, *batch)
            self.step(losses, optimiser)
            if schedule is not None:
                schedule.step()
            if on_step is not None:
                on_step(i, losses.detach())

    @torch.no_grad()
    def members(self) -> list[nn.Module]:
        """The modules that were given, with weights and buffers as they are now."""
        for r, module in enumerate(self.modules):
            for name, own in _state(module).items():
                own.copy_((self.weights | self.buffers)[name][r])
        return self.modules


class _Asked(nn.Module):
    """A function of a module, so that `functional_call` can put other weights in."""

    def __init__(self, module: nn.Module, function: Callable[..., Any]) -> None:
        super().__init__()
        self.module, self.function = module, function
        self.training = module.training

    def forward(self, *inputs: Any) -> Any:
        return self.function(self.module, *inputs)


def _state(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters()) | dict(module.named_buffers())
