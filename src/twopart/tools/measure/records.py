"""What a measurement consists of: plain records, each a row of a table or a few numbers that belong together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Order = Literal["random", "file"]
"""random: as if all tokens were shuffled. file: as the text stands."""
ORDERS: tuple[Order, ...] = ("random", "file")


@dataclass(frozen=True)
class Corpus:
    """What was read."""

    unit: str
    """Words, identifiers, bytes or tokens."""
    definition: str
    """What counts as one token."""
    files: int
    """Files read."""
    skipped: int
    """Binary files below the folders, left out."""
    size: int
    """Bytes read."""
    tokens: int
    """n."""
    distinct: int
    """K, the number of types."""
    encodings: tuple[str, ...] = ()
    """Of the texts; none where bytes are counted."""
    unread: int = 0
    """Bytes that are no text in that encoding; they part words."""
    first_unread: str = ""
    """The first file that has such."""
    unspaced: dict[str, float] = field(default_factory=dict)
    """Share of the letters that are of scripts written without spaces, by script: a run of them is counted as one word."""


@dataclass(frozen=True)
class Discount:
    """A Pitman-Yor law by maximum likelihood, and the exponents that the theory derives from its discount."""

    order: Order
    tokens: int
    """Of the part that it was fitted to."""
    distinct: int
    discount: float
    """d."""
    discount_error: float
    """Standard error; nan where d is 0."""
    concentration: float
    """θ."""
    concentration_error: float
    data_exponent: float
    """1 - d: redundancy falls as tokens to minus this (the data law)."""
    capacity_exponent: float
    """1/d - 1: redundancy falls as capacity to minus this (the capacity law); infinite for d = 0."""


@dataclass(frozen=True)
class Heaps:
    """How the vocabulary grows: slopes of ln distinct on ln tokens."""

    file_tenfold: float
    """In file order, over the last factor of ten in tokens."""
    random_tenfold: float
    """In random order."""
    file_doubling: float
    """In file order, over the last factor of two."""
    random_doubling: float


@dataclass(frozen=True)
class Growth:
    """The vocabulary at one size of the text."""

    tokens: int
    file: int
    """Distinct types among the first `tokens`, as the text stands."""
    random: float
    """Expected distinct types among as many tokens picked at random."""
    deviation: float
    """Upper bound on the standard deviation of that number."""
    file_missing: float
    """Share of the later tokens that are of types not yet seen, as the text stands; nan at the end."""
    file_good_turing: float
    """Good and Turing's estimate of it from the tokens so far."""
    random_missing: float
    """The expected share in random order."""


@dataclass(frozen=True)
class Zipf:
    """How counts fall with rank."""

    slope: float
    """Of ln count on ln rank, from rank `first` on while counts are at least `fewest`; nan with too few ranks."""
    first: int
    fewest: int
    tail_exponent: float
    """α of P(count) ~ count^-α from `tail_start` on, by maximum likelihood; the theory expects 1 + d. nan without tail."""
    tail_error: float
    """Standard error, the start taken as known."""
    tail_start: int
    tail_types: int
    """Types in the tail."""


@dataclass(frozen=True)
class Missing:
    """The mass of types that a part of the text lacks: predicted from the part, found in the rest."""

    order: Order
    tokens: int
    """Of the part."""
    good_turing: float
    good_turing_error: float
    """Standard error."""
    pitman_yor: float
    """By the law fitted to the part."""
    held_out: float
    """Share of the rest's tokens that are of types the part lacks."""


@dataclass(frozen=True)
class Forward:
    """How many types the whole has: predicted from a part, found in the whole."""

    order: Order
    estimator: Literal["Pitman-Yor", "Good-Toulmin"]
    tokens: int
    """Of the part."""
    predicted: float
    """Distinct types of the whole, from the part; the mean over parts for random ones."""
    actual: int
    excess: float
    """predicted/actual - 1."""
    interval: tuple[float, float] | None
    """95 % of Student's t over random parts; there is only one first part."""


@dataclass(frozen=True)
class Bursts:
    """Burstiness of the types seen `least` to `most` times."""

    least: int
    most: int
    types: int
    burstiness: float
    """Mean of B (Goh and Barabási; Kim and Jo): -1 regular, 0 random, 1 all at once."""
    squared_variation: float
    """Mean over types of the gaps' squared coefficient of variation, over its expectation in random order."""


@dataclass(frozen=True)
class Entropy:
    """Entropy of a token in bits by one estimator, from a random part and from all tokens."""

    estimator: str
    part: float
    whole: float


@dataclass(frozen=True)
class Block:
    """Entropy of runs of bytes."""

    size: int
    """Bytes of a block."""
    distinct: int
    once: float
    """Share of the blocks that were seen once: where it is not small, the entropies below are too low."""
    plug_in: float
    """Bits of a block."""
    grassberger: float
    """Bits of a block."""
    per_byte: float
    """Bits of a byte, given the size - 1 before it, by Grassberger's estimator."""
