"""English text with spans: against f-strings, against copying the same bytes, and into files.

Work per sentence of 75 bytes: 8 pieces, each a look-up in tables of 0.4 MB (they stay in the second-level cache) and one or
two chunks of 16 bytes read and written; 8 bytes of offset and 8 of spans. The floor is one copy of 75 + 16 bytes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer

from benchmarks._table import Row, ratios
from twopart.worlds import (
    Attribute,
    Corpus,
    EnglishRendering,
    SyntaxKnowledge,
    encode_english,
    render,
    token_roles,
    train_tokenizer,
)
from twopart.worlds.knowledge.attributes import BIOGRAPHY
from twopart.worlds.knowledge.renderings._grammar import cut
from twopart.worlds.knowledge.renderings.english import ARROW_SCHEMA
from twopart.worlds.knowledge.renderings.lexicon import lexicon

SENTENCES = 1_000_000
FILE = 27_000_000  # sentences, 2 GB of text
WORLD = SyntaxKnowledge(
    discount=0.8,
    attributes=tuple(Attribute(attribute.name, 300, 24) for attribute in BIOGRAPHY),
    syntax_concentration=100.0,  # all templates about equally common
)


def run() -> Iterator[Row]:
    corpus = WORLD.sample(SENTENCES)
    _ = corpus.name  # the entities' names belong to the sampler, not to the rendering
    yield against_formatting(corpus)
    yield against_copying(corpus)
    yield with_sampling()
    yield into_a_file()
    yield as_tokens(corpus)


def against_formatting(corpus: Corpus) -> Row:
    rendering, part = EnglishRendering(WORLD), corpus[: SENTENCES // 20]
    _ = part.name
    rate = SENTENCES / 5 / seconds(lambda: rendering.encode(corpus).arrow())
    ratio = ratios(lambda: rendering.encode(part).arrow(), lambda: formatted(part), rounds=5)
    return Row(
        "text and spans into Arrow", f"{rate / 1e6:.1f} M biographies/s", "f-strings", ratio, ">= 0.5 M/s, >= 10"
    )


def against_copying(corpus: Corpus) -> Row:
    """How near the floor: the time of copying the result, as a share of the time of making it."""
    rendering = EnglishRendering(WORLD)
    text = rendering.encode(corpus)
    arrays = text.data, text.offsets, text.spans
    ratio = ratios(lambda: rendering.encode(corpus), lambda: [array.copy() for array in arrays], rounds=5)
    rate = len(text.data) / seconds(lambda: rendering.encode(corpus))
    return Row("the same", f"{rate / 1e9:.2f} GB/s", "copying the result", ratio, "-")


def with_sampling() -> Row:
    def sampled() -> None:
        EnglishRendering(WORLD).encode(WORLD.sample(SENTENCES))

    ratio = ratios(sampled, lambda: WORLD.sample(SENTENCES).name, rounds=3)
    rate = SENTENCES / 5 / seconds(sampled)
    return Row("sampled and rendered", f"{rate / 1e6:.1f} M biographies/s", "sampling alone", ratio, "-")


def into_a_file() -> Row:
    """2 GB of text, written by a process of its own, as memory is counted by process."""
    code = f"""
import re, time
from pathlib import Path
from twopart.worlds import SyntaxKnowledge, write_sample
world = SyntaxKnowledge.from_config({WORLD.config()!r})
start = time.perf_counter()
write_sample(world, {FILE}, "corpus.parquet", rendering="english")
took = time.perf_counter() - start
# not getrusage: a child's ru_maxrss starts at that of the process it was forked from
print(took, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 2**20)
"""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    took, peak = map(float, done.stdout.split())
    rate = f"{FILE / 5e6 / took:.1f} M biographies/s"
    return Row("sampled, rendered, written: 2 GB of text", rate, "peak memory in GiB", peak, "< 1")


def as_tokens(corpus: Corpus) -> Row:
    """Ids and roles of a million sentences from pieces, against the tokenizer at a 50th of them."""
    texts = render(corpus[: SENTENCES // 50], "english").texts
    tokenizer = train_tokenizer(texts, 4096)
    took = seconds(lambda: encode_english(corpus, tokenizer))
    peer = 50 * seconds(lambda: tokenized(tokenizer, corpus[: SENTENCES // 50]))
    rate = f"{SENTENCES / took / 1e6:.1f} M sentences/s"
    return Row("token ids and roles", rate, "tokenizer and its offsets", peer / took, "-")


def formatted(corpus: Corpus) -> pa.Table:
    """Text and spans the plain way."""
    words = lexicon()
    known = [(words.values[a.name], [cut(t) for t in words.templates[a.name]]) for a in corpus.world.attributes]
    texts, spans = [], []
    columns = (column.tolist() for column in (corpus.name, corpus.attribute, corpus.template, corpus.value))
    for index, attribute, template, which in zip(*columns, strict=True):
        given = [words.first[index >> shift & 4095] for shift in (0, 12, 24)]
        name = f"{given[0]} {given[1]} {given[2]} {words.last[index >> 36]}"
        values, templates = known[attribute]
        value = values[which]
        head, middle, tail = templates[template]
        texts.append(f"{head}{name}{middle}{value}{tail}")
        start = len(head) + len(name) + len(middle)
        spans.append((len(head), len(head) + len(name), start, start + len(value)))
    return pa.table([pa.array(texts, pa.large_string()), *np.array(spans, np.uint16).T], ARROW_SCHEMA.names)


def tokenized(tokenizer: Tokenizer, corpus: Corpus) -> list[NDArray[np.uint8]]:
    """Roles of the tokens of each sentence the plain way."""
    text = render(corpus, "english")
    encodings = tokenizer.encode_batch(text.texts)
    rows = zip(text.texts, encodings, text.spans, strict=True)
    return [token_roles(sentence, encoding.offsets, span)[0] for sentence, encoding, span in rows]


def seconds(work: Callable[[], object]) -> float:
    """The median of five."""
    work()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)
