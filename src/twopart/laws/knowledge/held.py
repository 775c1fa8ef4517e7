"""How many bits of random facts a model holds at least, from what it pays for them: the count of Allen-Zhu and Li 2024.

held = bit_complexity(1_000, 3.1, 6 * 6)                                  # names are given: values alone, six of 64 each
held = bit_complexity(1_000, 3.1, 6 * 6, name_nats=7.2, name_bits=18)     # names are learned too, among 2^18
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from twopart._arguments import counts, like
from twopart._checks import check


def bit_complexity(
    people: ArrayLike,
    value_nats: ArrayLike,
    value_bits: ArrayLike,
    *,
    name_nats: ArrayLike = 0.0,
    name_bits: ArrayLike = 0.0,
) -> Any:
    """N (value_bits - value_nats/ln 2) + N (name_bits - name_nats/ln 2), arguments broadcast; over parameters a capacity ratio.

    `people` N hold a value of `value_bits` each (log2 of all combinations of answers), for which the model pays `value_nats`
    on average, summed over tokens; `name_nats` is what it pays for a name that was drawn from 2^`name_bits`, ln N at best, and
    0 of 0 bits where names are given. Symbols are known: what it takes to know which answers there are is not counted. Below 0
    for a model that is led astray. Source: Allen-Zhu and Li 2024, arXiv 2404.05405, definition 4.3 (theorem 3.2 without terms
    of lower order and without its third, that of the answers' diversity).
    """
    held = 0.0
    for nats, bits in ((value_nats, value_bits), (name_nats, name_bits)):
        for name, given in (("nats", nats), ("bits", bits)):
            fine = bool(np.all(np.isfinite(given)) and np.all(np.asarray(given) >= 0))
            check(fine, name, given, "finite and >= 0", "sums over tokens of a person, not means")
        held = held + counts("people", people, 1) * (np.asarray(bits, float) - np.asarray(nats, float) / np.log(2))
    return like((people, value_nats, value_bits, name_nats, name_bits), held)
