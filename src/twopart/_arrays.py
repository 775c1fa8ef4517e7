"""What is asked of a user's own arrays; every refusal names argument, value, bound and remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float64]
DROP = "drop or fill those entries"


def finite(name: str, values: Any, shape: tuple[int | None, ...], remedy: str, dtype: Any = np.float64) -> NDArray[Any]:
    """`values` as an array of finite numbers of that shape, None for any length of at least one; `dtype` None keeps a float's.

    Raises `InputError` naming the argument.
    """
    array = np.asarray(values)
    check(array.dtype.kind in "iuf", name, array.dtype.name, "real numbers", "convert it to floats first")
    _check_shape(name, array.shape, shape, remedy)
    if dtype is None:
        dtype = array.dtype if array.dtype in (np.float32, np.float64) else np.float64
    array = array.astype(dtype, copy=False)
    bad = array.size - int(np.isfinite(array).sum())
    check(bad == 0, name, f"{bad} of {array.size} that are nan or infinite", "finite", DROP)
    return array


def finite_tensor(name: str, values: Any, shape: tuple[int | None, ...], remedy: str) -> torch.Tensor:
    """The same of a torch tensor of floats, which keeps its type, device and graph."""
    import torch

    is_tensor = isinstance(values, torch.Tensor)
    check(is_tensor, name, type(values).__name__, "a torch tensor", "torch.as_tensor makes one of an array")
    tensor: torch.Tensor = values
    check(tensor.is_floating_point(), name, tensor.dtype, "of floats", "convert it with .float() first")
    _check_shape(name, tuple(tensor.shape), shape, remedy)
    # of nan both ends are; twenty times as fast as asking each number
    ends = torch.stack(torch.aminmax(tensor.detach())) if tensor.numel() else tensor
    check(bool(ends.isfinite().all()), name, "some that are nan or infinite", "finite", DROP)
    return tensor


def reals(name: str, values: Any) -> torch.Tensor:
    """Finite real numbers of any shape as a float64 tensor, on their device; raises `InputError` naming the argument."""
    import torch

    array = values if isinstance(values, torch.Tensor) else np.asarray(values)
    real = not array.is_complex() if isinstance(array, torch.Tensor) else array.dtype.kind in "iufb"
    check(real, name, array.dtype if real else values, "real numbers", "convert it to floats first")
    found = torch.as_tensor(array)
    bad = int((~torch.isfinite(found)).sum())
    check(bad == 0, name, f"{bad} of {found.numel()} that are nan or infinite", "finite", DROP)
    return found.to(torch.float64)


def together(**values: Floats) -> tuple[int, ...]:
    """The shape to which arrays broadcast; raises `InputError` naming the last of them, where there is none."""
    shapes = {name: np.shape(value) for name, value in values.items()}
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        *others, last = shapes
        beside = ", ".join(f"`{name}` {shapes[name]}" for name in others)
        check(False, last, shapes[last], f"of a shape that broadcasts with {beside}", "one number goes with any shape")
        raise


def either(name: str, values: Any, shape: tuple[Any, ...], remedy: str, like: Any = None) -> Any:
    """A tensor as `finite_tensor` has it, all else as an array that keeps its float type; in the kind of `like`, if given.

    A shape that begins with `...` has any axes in front.
    """
    if shape[0] is ...:
        shape = (*np.shape(values)[: 1 - len(shape)], *shape[1:])
    is_tensor = hasattr(values, "new_tensor")
    found = finite_tensor(name, values, shape, remedy) if is_tensor else finite(name, values, shape, remedy, None)
    return found if like is None else alike(like, found)


def alike(like: Any, values: Any) -> Any:
    """`values` as an array or a tensor, whichever `like` is, of its type and on its device."""
    if isinstance(like, np.ndarray):
        return np.asarray(values, like.dtype)
    import torch

    return torch.as_tensor(values).to(like)


def numbers(
    name: str, value: ArrayLike, low: float, high: float, closed: str = "()", remedy: str = "see what it stands for"
) -> Floats:
    """Numbers of any shape in an interval whose ends `closed` draws, as float64; raises `InputError` naming the argument."""
    x = np.asarray(value)
    inside = x.dtype.kind in "iuf" and bool(
        np.all((x >= low if closed[0] == "[" else x > low) & (x <= high if closed[1] == "]" else x < high))
    )
    check(inside, name, value, f"in {closed[0]}{low:g}, {high:g}{closed[1]}", remedy)
    return np.asarray(x, np.float64)


def _check_shape(name: str, have: tuple[int, ...], want: tuple[int | None, ...], remedy: str) -> None:
    sizes = zip(have, want, strict=False)
    fits = len(have) == len(want) and all(one >= 1 if asked is None else one == asked for one, asked in sizes)
    drawn = ", ".join("any" if asked is None else str(asked) for asked in want) + "," * (len(want) == 1)
    check(fits, name, have, f"of shape ({drawn})", remedy)
