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

from benchmarks._table import Row, ratios
from twopart.tools.measure import measure
from twopart.tools.measure.tally import Tally
from twopart.tools.measure.units import UNITS

SIZE = 30_000_000  # bytes of the Python standard library, at most
BLOCK = 1 << 22
SIZE_ACCENTS = 12_000_000  # letters, before a third of them gets an accent
WORDS = re.compile(r"[^\W\d_]+")
PEER = "Counter(re.findall)"


def run() -> Iterator[Row]:
    files = sorted(
        path for path in Path(sysconfig.get_paths()["stdlib"]).rglob("*.py") if "site-packages" not in path.parts
    )
    data = b"".join(path.read_bytes() for path in files)[:SIZE]
    text = data.decode(errors="replace")
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
        for start in range(0, len(content), BLOCK):
            tally.add(counter.numbers(content[start : start + BLOCK]))
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
