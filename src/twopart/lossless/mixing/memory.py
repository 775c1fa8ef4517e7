"""The arrays that a mixer works on. Their sizes are fixed by the method, so memory does not grow with the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twopart.lossless._histories import history_tables
from twopart.lossless._logistic import LIMIT, ONE, UNIT, reciprocals, squash_table, stretch_table
from twopart.lossless.mixing._numbers import aligned
from twopart.lossless.mixing.contexts import NUMBERS

MATCH_BITS = 20
"""Each match model remembers up to 2^20 places."""
CHOICES = 2048
"""Rows of weights in one set."""
BINS = 32
"""Entries of a row of refinements: 25 of them stand a nat apart, the rest fill the cache lines."""
REFINED_BITS = 16
"""A refinement has up to 2^16 rows."""


class Sizes(NamedTuple):
    """How much of everything a mixer has. Its kernel is compiled for these numbers, so that loops over them unroll."""

    contexts: int
    """How many of the contexts of contexts.py, from the first: one of `contexts.NUMBERS`."""
    inputs: int
    """Inputs to the mixer from each: 1, what its counted history says; or 4, also what its last bits say, the probability
    learned at the place itself, and how far that is from a half."""
    matches: int
    """Match models."""
    sets: int
    """Sets of weights; more than one are mixed again."""
    refinements: int
    """Corrections of the last probability."""
    width: int
    """Inputs of the mixer, with the matches, order 0, a constant, and zeros up to a multiple of 8."""


@dataclass(frozen=True)
class Shape:
    """What a level is made of; see `Sizes`."""

    contexts: int
    inputs: int
    matches: int
    sets: int
    refinements: int
    rate: int
    """How fast weights move, the larger the faster."""
    start_rate: int
    """What is added to `rate` at the start of a file; it falls as 1/position, halved after 4,096 bytes."""
    weight: float
    """What weights start at."""
    slot_bits: int
    """The hash table has 2^slot_bits slots, of 16 bytes or, with 4 inputs, of 96, unless the file needs less."""

    def __post_init__(self) -> None:
        if self.contexts not in NUMBERS:  # the kernel would write beyond its arrays
            raise ValueError(f"a level has {NUMBERS} contexts, not {self.contexts}")
        if self.inputs not in (1, 4):
            raise ValueError(f"a level has 1 or 4 inputs, not {self.inputs}")

    @property
    def sizes(self) -> Sizes:
        width = -(-(self.contexts * self.inputs + 2 * self.matches + 2) // 8) * 8
        return Sizes(self.contexts, self.inputs, self.matches, self.sets, self.refinements, width)


class Memory(NamedTuple):
    """All state of a mixer between two bytes."""

    now: Any
    """int64 (64,): the text so far in a few numbers; places are named in contexts.py."""
    past: Any
    """uint8: the last bytes, a ring."""
    slots: Any
    """16 to a slot, the check of its context, then what 15 nodes remember: uint8, a history, or uint16, a pair of them."""
    own: Any
    """uint32: as `maps`, what was learned at each entry of `slots`; one entry only, unless contexts have 4 inputs."""
    context: Any
    """int64 (contexts,): the hash of each context."""
    at: Any
    """int64 (contexts,): where the slot of each context begins."""
    used: Any
    """int64 (contexts, or twice as many,): the entries of `maps` behind the last prediction."""
    maps: Any
    """uint32: what a history has meant, for each context: probability of a one (22 bits), how often it was used (10)."""
    inputs: Any
    """int32 (width,): logits."""
    weights: Any
    """int32 (sets * CHOICES, width), 1 is 2^16."""
    rows: Any
    """int64 (sets,): the row of weights in use."""
    outputs: Any
    """int64 (sets,): logit of each set."""
    chances: Any
    """int64 (sets,): the same as probabilities."""
    final: Any
    """int32 (256, sets): weights of the sets, 1 is 2^16."""
    places: Any
    """int32 (matches, up to 2^MATCH_BITS): where the bytes of a hash were last seen."""
    matched: Any
    """int64 (matches, 4): place, length, byte to come + 256, entry of `match_maps` in use or -1."""
    match_maps: Any
    """uint32: as `maps`, for (match model, length, bit to come), and then for order 0."""
    refined: Any
    """int32: rows of BINS probabilities out of 2^22."""
    refining: Any
    """int64 (refinements,): the entry of `refined` in use."""
    followers: Any
    """int64 (256 + 65536,): the last bytes that followed each byte and each pair of bytes."""
    stretch: Any
    squash: Any
    reciprocal: Any
    following: Any


def allocate(shape: Shape, slot_bits: int, past_bits: int) -> Memory:
    """The memory of a mixer that has seen nothing."""
    sets, width = shape.sets, shape.sizes.width
    weights = aligned(sets * CHOICES * width, np.int32).reshape(-1, width)
    weights[:, : shape.contexts * shape.inputs] = int(ONE * shape.weight)
    now = np.zeros(64, np.int64)
    return Memory(
        now=now,
        past=np.zeros(1 << past_bits, np.uint8),
        slots=aligned(16 << slot_bits, np.uint8 if shape.inputs == 1 else np.uint16),
        own=aligned(16 << slot_bits if shape.inputs > 1 else 1, np.uint32),
        context=np.zeros(shape.contexts, np.int64),
        at=np.zeros(shape.contexts, np.int64),
        used=np.zeros(min(shape.inputs, 2) * shape.contexts, np.int64),
        maps=np.tile(_history_map(), shape.contexts),
        inputs=aligned(width, np.int32),
        weights=weights,
        rows=np.zeros(sets, np.int64),
        outputs=np.zeros(sets, np.int64),
        chances=np.zeros(sets, np.int64),
        final=np.full((256, sets), ONE // sets, np.int32),
        places=np.zeros((shape.matches, 1 << min(MATCH_BITS, past_bits)), np.int32),
        matched=np.zeros((shape.matches, 4), np.int64),
        match_maps=np.full(64 * shape.matches + 256, 1 << 31, np.uint32),
        refined=np.tile(_straight(), shape.refinements << min(REFINED_BITS, slot_bits)),
        refining=np.zeros(shape.refinements, np.int64),
        followers=np.zeros(256 + (1 << 16), np.int64),
        stretch=stretch_table(),
        squash=squash_table(),
        reciprocal=reciprocals(1023),
        following=history_tables()[0],
    )


def _history_map() -> NDArray[np.uint32]:
    """What histories mean before any is used: the share of ones, pulled a little to the middle.

    Shape (512,): counts, then last bits.
    """
    _, counts = history_tables()
    odds = [(2 * ones + 1, 2 * (zeros + ones + 1)) for zeros, ones in counts.tolist()]
    for last in range(256):  # a 1, then up to seven bits
        length = max(last.bit_length() - 1, 0)
        odds.append((5 * max(last.bit_count() - 1, 0) + 2, 5 * length + 4))
    return np.array([((ones << 22) // both) << 10 for ones, both in odds], np.uint32)


def _straight() -> NDArray[np.int32]:
    """A row of refinements that corrects nothing: entry j is for the logit (j - 12) nats."""
    squash = squash_table().astype(np.int32)
    return np.array([squash[min(max((j - 12) * UNIT + LIMIT, 0), 2 * LIMIT)] << 6 for j in range(BINS)], np.int32)
