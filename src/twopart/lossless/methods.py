"""The methods by the name that stands in a file's header. A new one is a file beside these and a line here."""

from __future__ import annotations

from typing import Any

from twopart.lossless.counts.method import ContextCounts
from twopart.lossless.mixing.method import ContextMixing
from twopart.lossless.neural.method import PrequentialTransformer
from twopart.lossless.neural.two_part import TwoPartTransformer
from twopart.lossless.pitman_yor import PitmanYorBytes

METHODS: dict[str, Any] = {
    "counts": ContextCounts,
    "mixing": ContextMixing,
    "pitman-yor": PitmanYorBytes,
    "transformer": PrequentialTransformer,
    "two-part": TwoPartTransformer,
}
