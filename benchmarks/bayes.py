"""The Bayes code: sentences per second against a plain loop over dictionaries, and its memory."""

from __future__ import annotations

import math
import time
import tracemalloc
from collections.abc import Iterator

from benchmarks._table import Row, ratios
from twopart.codes import BayesCoder, bayes_code
from twopart.worlds import Corpus, SyntaxKnowledge


def run() -> Iterator[Row]:
    for discount in (0.5, 0.8):
        world = SyntaxKnowledge(discount, 1.0)
        corpus = world.sample(10_000_000)
        part = corpus[:200_000]
        bayes_code(part)
        start = time.perf_counter()
        bayes_code(corpus)
        rate = len(corpus) / (time.perf_counter() - start)
        ratio = ratios(lambda part=part: bayes_code(part), lambda part=part: dictionaries(part), rounds=5)
        yield Row(
            f"d = {discount}, 10^7 sentences", f"{rate / 1e6:.1f} M/s", "loop over dictionaries", ratio, ">= 5 M/s"
        )
    yield memory(world)


def memory(world: SyntaxKnowledge) -> Row:
    """State of the coder after 10^7 sentences, in bytes per distinct entity: it doubles when half full, so 48 to 96."""
    coder = BayesCoder(world)
    tracemalloc.start()
    for start in range(0, 10_000_000, 1_000_000):
        coder.encode(world.sample(1_000_000, start=start))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    value = f"{held / 2**20:.0f} MiB for {coder.distinct:,} entities"
    return Row("state after 10^7 sentences, d = 0.8", value, "bytes per entity", held / coder.distinct, "<= 96")


def dictionaries(corpus: Corpus) -> float:
    """The same total the plain way."""
    world, bits = corpus.world, 0.0
    d, theta, alpha = world.discount, world.concentration, world.syntax_concentration
    seen: dict[int, int] = {}
    facts, uses, attributes = set(), {}, {}
    columns = zip(corpus.entity.tolist(), corpus.attribute.tolist(), corpus.template.tolist(), strict=True)
    for n, (e, a, t) in enumerate(columns):
        count = seen.get(e, 0)
        if count:
            bits -= math.log2((count - d) / (n + theta))
        else:
            bits -= math.log2((theta + d * len(seen)) / (n + theta)) - math.log2(world.names - len(seen))
        seen[e] = count + 1
        m, c, c_a = world.attributes[a].templates, uses.get((a, t), 0), attributes.get(a, 0)
        bits -= math.log2(world.pi[a]) + math.log2((c + alpha) / (c_a + m * alpha))
        uses[a, t], attributes[a] = c + 1, c_a + 1
        if (e, a) not in facts:
            facts.add((e, a))
            bits += world.attributes[a].entropy()
    return bits
