"""A ladder of model sizes: widths from 2 up. Below width 32 a model has one attention head, then one for every 16."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from twopart._checks import check
from twopart.worlds import SyntaxKnowledge

if TYPE_CHECKING:
    from twopart.learners import TransformerConfig

HEAD = 16  # width of an attention head, where the model is that wide


def heads_of(width: int) -> int:
    """Attention heads of a model of this width: width / 16, at least 1."""
    return max(1, width // HEAD)


def check_widths(widths: tuple[int, ...], least: int) -> None:
    """Raise `InputError` unless there are `least` rising widths that a model can have."""
    rising = all(a < b for a, b in pairwise(widths))
    long_enough = f"at least {least} rising whole numbers"
    check(
        len(widths) >= least and rising, "widths", widths, long_enough, "2 4 8 16 32 64 spans two decades of parameters"
    )
    for width in widths:
        fine = width >= 2 and width % (2 * heads_of(width)) == 0
        check(fine, "widths", width, f"even multiples of {heads_of(width)} heads", "powers of two fit always")


def shape(world: SyntaxKnowledge, width: int, layers: int = 1) -> TransformerConfig:
    """The model of this width that reads the world's symbols."""
    from twopart.learners import TransformerConfig
    from twopart.worlds import SymbolRendering

    rendering = SymbolRendering(world)
    return TransformerConfig(rendering.vocabulary, rendering.length, layers, width, heads_of(width))
