"""Pitman-Yor draws: against the prototype where it is at hand, and the tree against the sequential restaurant.

Work of a draw that ends in the root: half a Philox block (10 multiplications, in SIMD lanes), one look-up in a table of 32 or
128 KB, 8 bytes written. Each level below takes three blocks, three logarithms and two exponentials; there are 1/(1-d) levels.
At d = 0.8 an eighth of the draws go down, 5 levels each, with further tries 4.1 blocks, 5.2 logarithms and 2.3 exponentials a
level: with AVX2 (3.2, 2.0 and 2.7 ns) 19 ns a draw, 13 to move draws that try again and to settle them, and 3.7 for the root.
The restaurant, which hashes nothing, takes 24, on one core: draws are shared among all that there are.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks._table import Row, median_seconds, ratios
from twopart.worlds import PitmanYor, chinese_restaurant

SHARD = 1_000_000  # draws a call: memory that fits is reused, so that none of it is measured
PROTOTYPES = Path(os.environ.get("TWOPART_PROTOTYPES", Path(__file__).parents[2] / "shared" / "prototypes"))

# discount, concentration, draws a call, aim
LAWS = [
    (0.5, 1.0, SHARD, "100 M/s, >= 0.77"),
    (0.8, 1.0, SHARD, "12 M/s, >= 0.77"),
    (0.95, 1.0, SHARD // 10, ">= 0.77"),
    (0.5, 1e5, SHARD // 50, ">= 0.77"),
]


def run() -> Iterator[Row]:
    prototype = _prototype()
    for discount, concentration, draws, aim in LAWS:
        yield from _tree(discount, concentration, draws, aim, prototype)
    yield from _restaurant(prototype)


def _tree(discount: float, concentration: float, draws: int, aim: str, prototype: Any) -> Iterator[Row]:
    measure = PitmanYor(discount, concentration).measure(0)
    law = f"d = {discount:g}, θ = {concentration:g}"

    def plain() -> object:
        return measure.draw(draws)

    def told() -> object:
        return measure.draw_with_probability(draws)

    if prototype is None:
        yield Row(f"draw with probability, {law}", _rate(told, draws), "draw", ratios(told, plain), "-")
        return
    tree = prototype.PYTree(discount, concentration, 0)
    ratio = ratios(plain, lambda: tree.draw(0, draws), rounds=15)
    yield Row(f"draw, {law}", _rate(plain, draws), "prototype", ratio, aim)
    ratio = ratios(told, lambda: tree.draw_with_prob(0, draws), rounds=5)
    yield Row(f"draw with probability, {law}", _rate(told, draws), "prototype", ratio, ">= 0.77")


def _restaurant(prototype: Any) -> Iterator[Row]:
    for discount in (0.5, 0.8):
        law = PitmanYor(discount, 1.0)

        def seated(discount: float = discount) -> object:
            return chinese_restaurant(SHARD, discount, 1.0)

        if prototype is not None:
            keys = prototype.keys(0)
            ratio = ratios(seated, lambda d=discount, k=keys: prototype.crp_split_nb(SHARD, d, 1.0, *k))
            yield Row(f"restaurant, d = {discount}", _rate(seated, SHARD), "prototype", ratio, ">= 0.77")
        ratio = ratios(lambda law=law: law.draw(SHARD), seated)
        yield Row(f"draw, d = {discount}", _rate(lambda law=law: law.draw(SHARD), SHARD), "restaurant", ratio, "-")


def _rate(work: Callable[[], object], draws: int) -> str:
    return f"{draws / median_seconds(work) / 1e6:.1f} M/s"


def _prototype() -> Any:
    if not (PROTOTYPES / "pitman_yor_sampler.py").exists():
        print(f"  no prototype at {PROTOTYPES}: set TWOPART_PROTOTYPES to compare with it")
        return None
    sys.path.insert(0, str(PROTOTYPES))
    return import_module("pitman_yor_sampler")
