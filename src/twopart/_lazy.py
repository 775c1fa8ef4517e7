"""Faces that load late: a package imports what it offers when first asked for it; a room costs nothing until it is entered.

if TYPE_CHECKING:
    from twopart.worlds import features, knowledge          # for type checkers, and for whoever draws the arrows
    from twopart.worlds.knowledge import PitmanYor
else:
    __getattr__, __dir__ = late(__name__, __all__, rooms=("features", "knowledge"), core="knowledge")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any


def late(
    package: str, names: Sequence[str], *, rooms: Sequence[str], core: str | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package that offers `names`: some are its `rooms`, the room `core` has the others."""

    def find(name: str) -> Any:
        if name in rooms:
            return import_module(f"{package}.{name}")
        if core is not None and name in names:
            return getattr(import_module(f"{package}.{core}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find, lambda: list(names)
