"""Anybody's module, asked in evaluation mode, and what its parts give on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from twopart._arrays import Floats
from twopart._checks import check


@contextmanager
def asked(module: nn.Module) -> Iterator[None]:
    """In evaluation mode, without gradients; every part is left in the mode that it was in."""
    modes = {part: part.training for part in module.modules()}
    try:
        with torch.no_grad():
            module.eval()
            yield
    finally:
        for part, training in modes.items():
            part.training = training


@contextmanager
def caught(
    module: nn.Module, names: Sequence[str], read: Callable[[Any], Tensor] | None
) -> Iterator[dict[str, list[Floats]]]:
    """What `read` makes of each output of the submodules `names` (of the first part of a tuple), as float64, call by call.

    Raises `InputError` for names that are not there, and a `read` that is no function.
    """
    known, found = dict(module.named_modules()), {name: list[Floats]() for name in names}
    check(bool(names) and set(names) <= set(known), "names", names, "submodules", "model.named_modules() has them")
    check(callable(read), "readout", read, "a function of a layer's output", "give the model's own head")

    def catch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(part: nn.Module, given: Any, output: Any) -> None:
            said = read(output[0] if isinstance(output, tuple) else output)  # type: ignore[misc]
            found[name].append(said.detach().double().cpu().numpy())

        return hook

    with ExitStack() as hooks:
        for name in names:
            hooks.callback(known[name].register_forward_hook(catch(name)).remove)
        yield found
