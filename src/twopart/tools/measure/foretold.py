"""What a text's own statistics foretell of the exponent at which losses fall with data; nothing is trained.

found = foretell(documents)             # a list of bytes
found.theory.alpha, found.theory.refused, found.hilberg
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import check
from twopart.fits.decay import SAVINGS, Decay, Prediction, decay, horizon_prediction
from twopart.tools.measure.contexts import ContextCosts, contexts, repeated, shared_bits
from twopart.tools.measure.correlations import Correlations, correlations

FEWEST = 100_000  # bytes
PIECE = 1 << 14  # bytes
COPIES = 0.03  # share of repeated runs above which an exponent is that of copies


@dataclass(frozen=True, eq=False)
class Foretold:
    """By correlations and contexts, by shared bits, and whether it is a text of copies."""

    beta: Decay
    """Of the norm of the covariance of bytes."""
    gamma: Decay
    """Of what a doubling of the context saves context mixing."""
    theory: Prediction
    """gamma/(2 beta)."""
    hilberg: float
    """1 - b, b the exponent of the bits that two halves share."""
    repeated: float
    """Share of 48-byte runs that stand in another document, too."""


def foretell(documents: Sequence[bytes], targets: int = 100, seed: int = 0) -> Foretold:
    """The exponents of a text of >= 100,000 bytes, in pieces of which a tenth is held out to find what context is worth."""
    total = sum(map(len, documents))
    check(total >= FEWEST, "documents", total, f"of at least {FEWEST} bytes", "exponents need a range; give more text")
    pieces = [document[at : at + PIECE] for document in documents for at in range(0, len(document), PIECE)]
    order = _random.generator(seed, "foretell").permutation(len(pieces))
    held_out, read = ([pieces[k] for k in part] for part in np.split(order, [-(-len(pieces) // 10)]))
    text, starts = b"".join(read), np.append(0, np.cumsum([len(piece) for piece in read])[:-1])
    lags = np.unique(np.geomspace(1, 256, 24).round().astype(int))
    beta = beta_of(correlations(np.frombuffer(text, np.uint8), lags, documents=starts))
    longest = max(map(len, held_out)) // 2
    windows = [2**k for k in range(3, 13) if 2**k <= longest]
    gamma = gamma_of(contexts(text, held_out, windows, targets, seed=seed))
    shared = shared_bits(text, 2 ** np.arange(11, total.bit_length() - 3))
    return Foretold(beta, gamma, horizon_prediction(beta, gamma), 1 - shared.exponent, repeated(read))


def beta_of(found: Correlations) -> Decay:
    """The decay of norms without noise."""
    squared, without = (np.maximum(values, 0) for values in (found.squared, found.replicates))
    return decay(found.lags, np.sqrt(squared), jackknife=np.sqrt(without))


def gamma_of(found: ContextCosts) -> Decay:
    """The decay of what each doubling of the context saves, by bootstrap over documents."""
    saved = np.stack([found.savings[found.document == d].sum(0) for d in np.unique(found.document)])
    draws: NDArray[np.int64] = _random.generator(0, "gamma").integers(len(saved), size=(1000, len(saved)))
    weight = np.bincount(np.unique(found.document, return_inverse=True)[1])
    resampled = saved[draws].sum(1) / weight[draws].sum(1)[:, None]
    return decay(found.contexts[:-1], found.savings.mean(0), bootstrap=resampled, **SAVINGS)
