"""The pieces of work on words: what their counts predict, and the control, a code that knows the law on words without order.

In the control the words of the text are shuffled, which makes them exchangeable, and the Bayes code of the Pitman-Yor law reads
them one by one: a word seen n_k times costs -log2 (n_k - d)/(n + θ), a new one -log2 (θ + dK)/(n + θ) and its letters, at 8
bits each. Nothing is trained and nothing is held out: every word is predicted before it is read. What the theory expects of
that code is what it pays for as many words drawn from the very law; θ keeps its exponent from 1 - d at these sizes. The same
code in the order of the text tells what order alone does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart import _random
from twopart.studies.real_text.corpus import Reading, divide
from twopart.studies.real_text.tokens import Integers, words

if TYPE_CHECKING:
    from twopart.lab import Cell

TENTH = 0.1
Source = Literal["text", "shuffled", "drawn"]
"""The words in their order, the same shuffled, or words drawn from the law fitted to them."""
DOUBLINGS = 6
"""Windows of the control: the last half of the words, the half before it, and so on."""


@dataclass(frozen=True)
class CountsCell:
    """What `twopart measure` says of the text that is read."""

    label: str
    reading: Reading


@dataclass(frozen=True)
class ControlCell:
    """One replicate of words for the code."""

    label: str
    reading: Reading
    source: Source
    replicate: int = 0


def measure_words(config: CountsCell, cell: Cell) -> pl.DataFrame:
    """Two kinds of rows, told apart by `axis`.

    law      of the whole and of a random tenth ("part"): tokens, distinct, discount, error
    growth   by tokens: distinct words in the text's order and in random order
    """
    from twopart.tools.measure import measure

    path = cell.folder / "text"
    path.write_bytes(divide(config.reading).text)
    found = measure(path, unit="identifiers", part=TENTH, seed=cell.seed)
    laws = [("whole", found.law), ("tenth", found.part)]
    law = pl.DataFrame(
        [
            {"axis": name, "tokens": one.tokens, "distinct": float(one.distinct), "discount": one.discount}
            | {"error": one.discount_error}
            for name, one in laws
        ]
    )
    growth = pl.DataFrame(
        [
            {"axis": "growth", "tokens": row.tokens, "distinct": float(row.file), "random": row.random}
            for row in found.growth
        ]
    )
    return pl.concat([law, growth], how="diagonal")


def code_words(config: ControlCell, cell: Cell) -> pl.DataFrame:
    """Mean bits per word in windows that end at a half, a quarter, ... and at all of the words: `words` read before, `bits`."""
    from twopart.fits import pitman_yor
    from twopart.worlds import PitmanYor

    types, letters = numbered(words(divide(config.reading).text))
    law = pitman_yor(np.bincount(types))
    if config.source == "shuffled":
        types = _random.generator(cell.seed, "control").permutation(types)
    if config.source == "drawn":
        drawn = PitmanYor(law.discount, law.concentration).draw(len(types), seed=cell.seed)
        types = np.unique(drawn, return_inverse=True)[1]
        letters = np.full(int(types.max()) + 1, letters.mean())
    bits = bayes_bits(types, letters, law.discount, law.concentration)
    ends = (len(types) * 0.5 ** np.arange(DOUBLINGS, -1, -1)).round().astype(int)
    means = np.diff(np.append(0, np.cumsum(bits))[ends]) / np.diff(ends)
    return pl.DataFrame({"words": ends[:-1], "bits": means})


def numbered(text: list[bytes]) -> tuple[Integers, NDArray[np.float64]]:
    """The words as numbers 0, 1, ... by first appearance, and the bits that spell each type: 8 a letter and 8 for its end."""
    numbers: dict[bytes, int] = {}
    types = np.array([numbers.setdefault(word, len(numbers)) for word in text], np.int64)
    return types, np.array([8.0 * (len(word) + 1) for word in numbers])


def bayes_bits(types: Integers, spelling: NDArray[np.float64], d: float, theta: float) -> NDArray[np.float64]:
    """What each word costs the Bayes code of PY(d, θ), given those before it; `spelling` of each type where it is new."""
    seen = ranks(types)
    new = seen == 0
    weight = np.where(new, theta + d * (np.cumsum(new) - 1), seen - d)
    total = np.arange(len(types)) + theta
    weight[0] = total[0] = 1.0  # the first word is new for certain
    return np.asarray(np.where(new, spelling[types], 0.0) - np.log2(weight / total))


def ranks(types: Integers) -> Integers:
    """How often each word came before."""
    order = np.argsort(types, kind="stable")
    counts = np.bincount(types)
    firsts = np.cumsum(counts) - counts
    out = np.empty(len(types), np.int64)
    out[order] = np.arange(len(types)) - firsts[types[order]]
    return out
