"""The methods by the name that stands in a file's header. A new one is a file beside these and a line here."""

from __future__ import annotations

from typing import Any

from twopart.codes.lossless.counts.method import ContextCounts
from twopart.codes.lossless.mixing.method import ContextMixing
from twopart.codes.lossless.neural.method import PrequentialTransformer, TwoPartTransformer
from twopart.codes.lossless.pitman_yor import PitmanYorBytes

METHODS: dict[str, Any] = {
    "counts": ContextCounts,
    "mixing": ContextMixing,
    "pitman-yor": PitmanYorBytes,
    "transformer": PrequentialTransformer,
    "two-part": TwoPartTransformer,
}
