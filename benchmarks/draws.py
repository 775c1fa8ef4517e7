"""Pitman-Yor draws: against the prototype, where it is at hand, and against the sequential sampler.

Work per draw that stays in the root: 10 Philox rounds (20 multiplications), shared by SIMD lanes, and one look-up in a table
of 128 KB. Deeper draws add about 30 hashes and a few logarithms a level.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks._table import Row, ratios
from twopart.worlds import PitmanYor, chinese_restaurant

DRAWS = 4_000_000
PROTOTYPES = Path(os.environ.get("TWOPART_PROTOTYPES", Path(__file__).parents[2] / "shared" / "prototypes"))


def run() -> Iterator[Row]:
    prototype = _prototype()
    for discount, aim in ((0.5, "100 M/s, >= 0.77"), (0.8, "12 M/s, >= 0.77")):
        measure = PitmanYor(discount, 1.0).measure(0)
        measure.draw(10)
        start = time.perf_counter()
        measure.draw(DRAWS)
        rate = f"{DRAWS / (time.perf_counter() - start) / 1e6:.0f} M/s"
        if prototype is not None:
            tree = prototype.PYTree(discount, 1.0, 0)
            ratio = ratios(lambda m=measure: m.draw(DRAWS), lambda t=tree: t.draw(0, DRAWS), rounds=7)
            yield Row(f"draw, d = {discount}", rate, "prototype", ratio, aim)
        ratio = ratios(lambda m=measure: m.draw(DRAWS), lambda d=discount: chinese_restaurant(DRAWS, d, 1.0), rounds=3)
        yield Row(f"draw, d = {discount}", rate, "sequential restaurant", ratio, "> 1 at d = 0.5")
        ratio = ratios(lambda m=measure: m.draw_with_probability(DRAWS), lambda m=measure: m.draw(DRAWS), rounds=3)
        yield Row(f"draw with probability, d = {discount}", "", "draw", ratio, "-")


def _prototype() -> Any:
    if not (PROTOTYPES / "pitman_yor_sampler.py").exists():
        print(f"  no prototype at {PROTOTYPES}: set TWOPART_PROTOTYPES to compare with it")
        return None
    sys.path.insert(0, str(PROTOTYPES))
    return import_module("pitman_yor_sampler")
