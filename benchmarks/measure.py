"""`twopart.tools.measure`: words and identifiers of a text against Python's regular expressions and a Counter.

Work of a byte: a look-up of its class, an xor and a multiplication of the hash; of a word, a look-up in a table that grows
beyond the caches, a comparison of its letters, an update of four numbers of its type.
"""

from __future__ import annotations

import re
import statistics
import sysconfig
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from benchmarks._table import Row, ratios
from twopart.tools.measure import measure
from twopart.tools.measure.correlations import correlations
from twopart.tools.measure.count_code import count_code_losses
from twopart.tools.measure.tally import Tally
from twopart.tools.measure.units import UNITS

SIZE = 30_000_000  # bytes of the Python standard library, at most
BLOCK = 1 << 22
SIZE_ACCENTS = 12_000_000  # letters, before a third of them gets an accent
WORDS = re.compile(r"[^\W\d_]+")
PEER = "Counter(re.findall)"
ORDERS = 4  # as text-exponent counts byte pairs


def run() -> Iterator[Row]:
    files = sorted(
        path for path in Path(sysconfig.get_paths()["stdlib"]).rglob("*.py") if "site-packages" not in path.parts
    )
    data = b"".join(path.read_bytes() for path in files)[:SIZE]
    text = data.decode(errors="replace")
    data = text.encode()  # a file or two of the library are not UTF-8
    plain = "".join(letter if letter.isascii() else " " for letter in text).encode()
    peers: dict[str, Callable[[], object]] = {
        "words": lambda: Counter(WORDS.findall(text.lower())),
        "identifiers": lambda: Counter(re.findall(r"\w+", text)),
    }
    for unit, peer in peers.items():
        for kind, content in (("ASCII", plain), ("UTF-8", data)):
            yield _counted(f"count {unit}, {kind}", unit, content, peer)
    yield _measured("measure words, all of it", text, "utf-8", peers["words"])
    accents = re.sub("([aeiou])", "\\1\u0301", text[:SIZE_ACCENTS])
    words = unicodedata.normalize("NFC", accents).lower()
    yield _measured("measure words, accents typed apart", accents, "utf-8", lambda: Counter(WORDS.findall(words)))
    yield _measured("measure words, UTF-16", accents, "utf-16", lambda: Counter(WORDS.findall(words)))
    yield from _foretelling(data[:4_000_000])


def _foretelling(text: bytes) -> Iterator[Row]:
    """Correlations and contexts of 1,024 byte pairs: beside counts of pairs by block, and the same code with dictionaries."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=1024, initial_alphabet=letters, show_progress=False)
    words = text.decode(errors="replace")
    tokenizer.train_from_iterator([words], trainer)
    tokens, lags = np.array(tokenizer.encode(words).ids), np.arange(1, 33)

    def pairs() -> None:
        for lag in lags:
            for block in np.array_split(tokens, 32):
                np.bincount(block[:-lag] * 1024 + block[lag:], minlength=1 << 20)

    def ours() -> object:
        return correlations(tokens, lags)

    yield Row("correlations, 32 lags", _rate(ours, len(text)), "counts of pairs", ratios(ours, pairs, 1), "5 MB/s")
    few = tokens[:200_000]

    def counts(read: NDArray[np.int64]) -> object:
        return count_code_losses([read], [few[:1000]], ORDERS, [len(read)], 1024)

    def dictionaries() -> None:
        Counter((k, tuple(few[max(0, at - k) : at + 1].tolist())) for at in range(len(few)) for k in range(ORDERS + 1))

    rate = _rate(lambda: counts(tokens), len(text))
    yield Row(
        f"contexts of 0 to {ORDERS} tokens", rate, "Counter", ratios(lambda: counts(few), dictionaries, 1), "5 MB/s"
    )


def _measured(name: str, text: str, encoding: str, peer: Callable[[], object]) -> Row:
    """All of a measurement, from the file on."""
    data = text.encode(encoding)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        path.write_bytes(data)
        rate = _rate(lambda: measure(path), len(data))
        return Row(name, rate, PEER, ratios(lambda: measure(path), peer, 1), "20 MB/s")


def _counted(name: str, unit: str, content: bytes, peer: Callable[[], object]) -> Row:
    """The pass over the text: counts, places, gaps, milestones."""

    def ours() -> object:
        counter, tally = UNITS[unit](), Tally()
        start = 0
        while start < len(content):
            stop = content.rfind(b"\n", start, start + BLOCK) + 1 or len(content)  # whole lines: no letter is cut
            tally.add(counter.numbers(content[start:stop]))
            start = stop
        return tally

    return Row(name, _rate(ours, len(content)), PEER, ratios(ours, peer, 1), "20 MB/s, >= 3")


def _rate(work: Callable[[], object], size: int) -> str:
    """Per second of one core: the time of the processor, which other programs do not take part of."""
    times = []
    for _ in range(4):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return f"{size / 1e6 / statistics.median(times[1:]):.0f} MB/s of a core"
