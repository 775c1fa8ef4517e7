"""A torch module as features: the Jacobian of its output by its weights, at the weights that it has.

    features, test_features = linearise(module, x), linearise(module, x_test)       # (n, P), (m, P)
    law = sgd_risk(features, y - module(x), test_features, y_test - module(x_test), learning_rate=..., steps=...)

While weights stay near their start, tuning is SGD on least squares with them: docs/laws/multi-pass-sgd.md, networks. Where n P
are too many numbers, `tangent_gram` gives inner products, and `laws.regression.kernel_features` features with the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from twopart._arrays import DROP
from twopart._checks import InputError, check, check_integer

# What makes the output of one input hang on chance, or on the others, while it trains.
RANDOM = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)


def linearise(module: nn.Module, inputs: Tensor, *, chunk: int = 256) -> Tensor:
    """The derivative of the module's output by all weights that require a gradient: (n, P), rows as of `inputs` (n, ...).

    The module maps (n, ...) to (n,) or (n, 1); weights are in the order of `module.parameters()`. `chunk` inputs are worked on
    at a time. Raises `InputError` for an output of another shape, and for dropout or batch normalisation in training mode.
    """
    return torch.cat(list(_jacobians(module, inputs, chunk)))


def tangent_gram(module: nn.Module, inputs: Tensor, others: Tensor | None = None, *, chunk: int = 256) -> Tensor:
    """The inner products of their derivatives, J(inputs) J(others)^T: (n, m), or (n, n) without `others`; P may be large."""
    columns = inputs if others is None else others
    rows = _jacobians(module, inputs, chunk)  # two chunks of derivatives are held at a time
    return torch.cat([torch.cat([row @ c.T for c in _jacobians(module, columns, chunk)], dim=1) for row in rows])


def _jacobians(module: nn.Module, inputs: Tensor, chunk: int) -> Iterator[Tensor]:
    """Chunks of (n, P)."""
    check_integer("chunk", chunk, 1, None, "it is a number of inputs")
    kind = type(inputs).__name__
    check(isinstance(inputs, Tensor), "inputs", kind, "a torch tensor", "torch.as_tensor makes one of an array")
    check(inputs.ndim >= 1 and len(inputs) > 0, "inputs", tuple(inputs.shape), "(n, ...), n >= 1", "give some inputs")
    check(bool(inputs.isfinite().all()), "inputs", "some that are nan or infinite", "finite", DROP)
    random = [name for name, part in module.named_modules() if isinstance(part, RANDOM) and part.training]
    if random:
        raise InputError(f"`module` must be in evaluation mode, got {', '.join(random)} in training mode; call .eval()")
    learned = {name: weight.detach() for name, weight in module.named_parameters() if weight.requires_grad}
    check(bool(learned), "module", type(module).__name__, "a module with weights to learn", "set requires_grad on some")

    def output(weights: dict[str, Tensor], one: Tensor) -> Tensor:
        out: Tensor = functional_call(module, weights, (one[None],))
        check(out.numel() == 1, "module", f"{out.numel()} outputs", "of one output for each input", "pick one of them")
        return out.reshape(())

    derivative = vmap(grad(output), in_dims=(None, 0))
    for part in torch.split(inputs, chunk):
        found = derivative(learned, part)
        yield torch.cat([found[name].flatten(1) for name in learned], dim=1)
