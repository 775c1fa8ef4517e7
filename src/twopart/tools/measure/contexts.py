"""What context is worth to an honest code, and what two halves of a text share.

    costs = contexts(train, held_out)               # bits per byte with 8, 16, ..., 4096 bytes of context, paired
    shared = shared_bits(data, sizes)               # K(A) + K(B) - K(AB) of neighbouring stretches: Hilberg's exponent
    repeated(documents)                             # share of 48-byte runs that stand in another document, too

A code's length bounds an entropy from above. Bounds do not bound differences: what is found is that of the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart import _random
from twopart._checks import check, check_integer
from twopart.fits import slope
from twopart.lossless import ContextMixing

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ContextCosts:
    """The same bytes with more and more context."""

    contexts: NDArray[np.int64]
    """Bytes that the code has seen of the document (contexts,)."""
    bits: Floats
    """Of each byte of a target (targets, contexts, segment)."""
    document: NDArray[np.int64]
    """Which held-out document a target is from (targets,)."""

    @property
    def savings(self) -> Floats:
        """Bits per byte that each step of context saves, by target (targets, contexts - 1)."""
        return np.asarray(-np.diff(self.bits.mean(2)))


def contexts(
    train: bytes,
    held_out: Sequence[bytes],
    contexts: Sequence[int] = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096),
    targets: int = 400,
    segment: int = 64,
    code: ContextMixing | None = None,
    seed: int = 0,
) -> ContextCosts:
    """What stretches of `segment` bytes cost a code that has read `train`, after n bytes of their document and no more.

    `code` is a `twopart.lossless.ContextMixing`; None takes its level "fast". Targets are the same for every n.
    """
    n = np.asarray(contexts)
    check(
        n.ndim == 1 and len(n) > 1 and n[0] >= 0 and bool(np.all(np.diff(n) > 0)),
        "contexts",
        contexts,
        "rising",
        "see the default",
    )
    check_integer("targets", targets, 2, None, "400 tell 0.001 bits")
    check_integer("segment", segment, 1, None, "64 keep contexts apart")
    room = np.array([max(0, len(document) - int(n[-1]) - segment + 1) for document in held_out])
    check(room.sum() >= targets, "contexts", int(n[-1]), "less than the length of some documents", "take shorter ones")
    picked = np.sort(_random.generator(seed, "contexts").choice(room.sum(), targets, replace=False))
    document = np.searchsorted(np.cumsum(room), picked, side="right")
    at = picked - (np.cumsum(room) - room)[document] + n[-1]
    ready = (code or ContextMixing("fast")).sized(len(train)).start()
    ready.encode(np.frombuffer(train, np.uint8))
    bits = np.empty((targets, len(n), segment))
    for k, (d, start) in enumerate(zip(document, at, strict=True)):
        stretch = np.frombuffer(held_out[d], np.uint8)[: start + segment]
        bits[k] = [ready.price(stretch[start - length :])[length:] for length in n]
    return ContextCosts(n, bits, document)


@dataclass(frozen=True, eq=False)
class Hilberg:
    """Bits that a code finds to be the same in two neighbouring stretches."""

    sizes: NDArray[np.int64]
    """Bytes of each (sizes,)."""
    bits: Floats
    """Mean over places (sizes,)."""
    exponent: float
    """b, bits ~ size^b; a code whose context is the whole past has the data exponent 1 - b."""


def shared_bits(data: bytes, sizes: ArrayLike, code: ContextMixing | None = None, places: int = 8) -> Hilberg:
    """K(A) + K(B) - K(AB) for stretches of the rising `sizes` in bytes, at up to so many `places` of the text."""
    n, found = np.asarray(sizes), []
    rising = n.ndim == 1 and len(n) > 1 and n[0] >= 16 and bool(np.all(np.diff(n) > 0)) and 2 * n[-1] <= len(data)
    check(rising, "sizes", sizes, f"rising, from 16 to half of {len(data)}", "as 2**np.arange(12, 20)")
    for size in n.tolist():
        starts = np.linspace(
            0, len(data) - 2 * size, min(check_integer("places", places, 1, None, "8"), len(data) // (2 * size))
        )
        shared = []
        for start in starts.astype(int).tolist():
            two = np.frombuffer(data, np.uint8)[start : start + 2 * size]
            alone, after = np.empty(size), np.empty(2 * size)
            method = (code or ContextMixing("fast")).sized(2 * size)
            method.start().encode(two[size:], alone)
            method.start().encode(two, after)
            shared.append(alone.sum() - after[size:].sum())
        found.append(np.mean(shared))
    return Hilberg(n, np.array(found), slope(n, found))


def repeated(documents: Sequence[bytes], run: int = 48) -> float:
    """The share of runs of so many bytes that stand in another document, too. Above 0.03 an exponent is that of copies."""
    check_integer("run", run, 1, None, "48 are about a line")
    data = np.frombuffer(b"".join(documents), np.uint8).astype(np.uint64)
    lengths = [len(document) for document in documents]
    owner, left = (
        np.repeat(np.arange(len(lengths)), lengths),
        np.repeat(np.cumsum(lengths), lengths) - np.arange(len(data)),
    )
    code = np.zeros(max(0, len(data) - run + 1), np.uint64)
    for k in range(run):
        code = code * np.uint64(0x9E3779B97F4A7C15) + data[k : k + len(code)] + np.uint64(1)
    inside = left[: len(code)] >= run
    code, owner = code[inside], owner[: len(code)][inside]
    if not len(code):
        return 0.0
    order = np.argsort(code, kind="stable")  # owners rise within a group
    first = np.flatnonzero(np.append(True, np.diff(code[order]) != 0))
    last = np.append(first[1:], len(code)) - 1
    return float((last - first + 1)[owner[order][first] != owner[order][last]].sum() / len(code))
