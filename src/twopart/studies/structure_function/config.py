"""What the structure-function study runs: its settings and its three presets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from twopart._checks import check, check_choice, check_integer, check_real
from twopart.studies._ladder import heads_of

LEVELS = ("fast", "strong", "best")


@dataclass(frozen=True)
class Config:
    """The structure function: how many bits of data each bit of model saves, in a world whose truth is known and in text."""

    discount: float = 0.6
    """Discount d of the world's entities, in (0, 1)."""
    entities: int = 2000
    """Most frequent entities of the world, of which alone the corpus speaks; >= 50."""
    sentences: int = 100_000
    """Sentences of the corpus, >= 1600: so many that some facts come often, and others once."""
    values: int = 64
    """Values of each of the five attributes, 2 to 64."""
    templates: int = 8
    """Templates of each attribute, 2 to 64."""
    replicates: int = 4
    """Worlds, each with a corpus of its own; >= 2, as intervals need a spread. The first is coded by all families."""
    fact_steps: int = 40
    """Numbers of facts that ideal models hold, from none to all; >= 8."""
    finest: int = 16
    """Ideal models break sticks at 1, 2, 4, ... up to 2^(finest/2) places; even, 8 to 30. 16 suits 10^5 sentences."""
    orders: tuple[int, ...] = (1, 2, 3, 5)
    """Longest contexts of the count models of the corpus, in symbols, 0 to 32; rising."""
    prices: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0, 16.0, 64.0, 256.0)
    """Bits of data that a bit of a count model must save, > 0, rising; at least 3. 1 aims at the shortest code."""
    widths: tuple[int, ...] = (4, 8, 16, 32)
    """Widths of the transformers that code the corpus, each an even multiple of its heads, one for every 16; may be none."""
    epochs: int = 6
    """Times that a transformer reads the corpus, >= 1."""
    text: str = ""
    """The file of real text; empty: the Python standard library's own sources."""
    text_bytes: int = 500_000
    """Bytes of the text that are coded, from its beginning; >= 1000. A shorter file is taken whole."""
    text_orders: tuple[int, ...] = (1, 2, 3, 5, 8)
    """Longest contexts of the count models of the text, in bytes, 0 to 32; rising."""
    levels: tuple[str, ...] = ("fast", "strong")
    """Levels of context mixing: fast, strong, best; at least one."""
    text_widths: tuple[int, ...] = (16, 32)
    """Widths of the two-layer transformers that code the text, each a multiple of 16; may be none."""
    text_epochs: int = 2
    """Times that a transformer reads the text, >= 1."""
    steps: tuple[float, ...] = (0.06, 0.12, 0.25, 0.5)
    """Steps to which weights of transformers are rounded, in standard deviations of a matrix, rising, in (0, 8]."""

    def __post_init__(self) -> None:
        check_real("discount", self.discount, 0, 1, "0.6 is near what text shows", closed="()")
        check_integer("entities", self.entities, 50, 2**22, "2000 leaves facts that hardly ever come up")
        check_integer("sentences", self.sentences, 1600, None, "a sixteenth of them are looked at too")
        check_integer("values", self.values, 2, 64, "symbols are coded as bytes")
        check_integer("templates", self.templates, 2, 64, "symbols are coded as bytes")
        check_integer("replicates", self.replicates, 2, None, "an interval needs a spread")
        check_integer("fact_steps", self.fact_steps, 8, 1000, "40 puts 10 on a decade")
        check_integer("finest", self.finest, 8, 30, "16 is a precision of 1/256")
        check(self.finest % 2 == 0, "finest", self.finest, "even", "take one more or less")
        _check_rising("orders", self.orders, 1, "1 2 3 5 reaches from an attribute to a whole sentence")
        _check_rising("text_orders", self.text_orders, 1, "1 2 3 5 8 suits a megabyte")
        for order in (*self.orders, *self.text_orders):
            check_integer("orders", order, 0, 32, "contexts of 5 are long")
        _check_rising("prices", self.prices, 3, "0.25 1 4 16 shows a frontier")
        check_real("prices", self.prices[0], 0, 1e9, "1 aims at the shortest code", closed="(]")
        for width in self.widths:
            fine = width >= 2 and width % (2 * heads_of(width)) == 0
            check(fine, "widths", width, f"even multiples of {heads_of(width)} heads", "powers of two fit always")
        for width in self.text_widths:
            check(width >= 16 and width % 16 == 0, "text_widths", width, "multiples of 16", "32 is one")
        check_integer("epochs", self.epochs, 1, None, "6 goes near convergence")
        check_integer("text_epochs", self.text_epochs, 1, None, "3 is a good start")
        found = not self.text or Path(self.text).is_file()
        check(found, "text", self.text, "a file", "leave it empty for the standard library's sources")
        check_integer("text_bytes", self.text_bytes, 1000, None, "half a million takes minutes")
        check(len(self.levels) > 0, "levels", self.levels, "at least one", "fast is one")
        for level in self.levels:
            check_choice("levels", level, LEVELS)
        _check_rising("steps", self.steps, 1, "0.06 0.12 0.25 0.5 shows where precision ceases to pay")
        for step in self.steps:
            check_real("steps", step, 0, 8, "0.25 is a good start", closed="(]")


def _check_rising(name: str, values: tuple[float, ...], least: int, remedy: str) -> None:
    rising = len(values) >= least and all(a < b for a, b in pairwise(values))
    check(rising, name, values, f"at least {least} rising numbers", remedy)


PRESETS: dict[str, Config] = {
    "tiny": Config(
        entities=100,
        sentences=3200,
        values=16,
        templates=4,
        replicates=2,
        fact_steps=12,
        finest=12,
        orders=(1, 3),
        prices=(0.5, 1.0, 4.0, 32.0),
        widths=(4,),
        epochs=2,
        text_bytes=20_000,
        text_orders=(1, 3),
        levels=("fast",),
        text_widths=(16,),
        text_epochs=1,
        steps=(0.25, 1.0),
    ),
    "small": Config(),
    "full": Config(
        entities=20_000,
        sentences=3_000_000,
        replicates=8,
        fact_steps=64,
        finest=20,
        orders=(1, 2, 3, 4, 5, 8),
        widths=(4, 8, 16, 32, 64, 128),
        epochs=30,
        text_bytes=10_000_000,
        text_orders=(1, 2, 3, 4, 5, 6, 8, 12),
        levels=LEVELS,
        text_widths=(64, 128, 256),
        text_epochs=10,
    ),
}
