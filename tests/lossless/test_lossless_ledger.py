"""The ledger of bits against sums over the whole file at once, and the page that shows it."""

import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from twopart.cli import main
from twopart.lossless import decompress_file
from twopart.lossless.ledger import CLASSES, LONGEST_WORD, Ledger
from twopart.report import read_findings

TEXT = b"The cat, the CAT and the other_1 cat2 sat.\n\tNa\xc3\xafve the\x00" * 30 + b" last"
KIND = {"a": CLASSES[0], "Q": CLASSES[1], "7": CLASSES[2], " ": CLASSES[3], "\n": CLASSES[4]}
KIND |= {"_": CLASSES[5], "\t": CLASSES[6], "\xff": CLASSES[7]}


def filled(text, size):
    """A ledger of `text` that came in parts of `size` bytes with random costs."""
    bits = np.random.default_rng(0).exponential(2.0, len(text))
    ledger = Ledger()
    for start in range(0, len(text), size):
        ledger.add(np.frombuffer(text[start : start + size], np.uint8), bits[start : start + size])
    ledger.finish()
    return ledger, bits


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_words_are_counted_whole_whatever_the_parts(size):
    ledger, bits = filled(TEXT, size)
    seen, groups, sightings = Counter(), defaultdict(lambda: [0, 0.0]), defaultdict(lambda: [0, 0.0])
    found = [
        (m.group().lower(), bits[m.start() : m.end()].sum()) for m in re.finditer(rb"[0-9A-Za-z_\x80-\xff]+", TEXT)
    ]
    total = Counter(word for word, _ in found)
    for word, cost in found:
        seen[word] += 1
        for group, number in ((groups, total[word]), (sightings, seen[word])):
            group[number.bit_length()][0] += 1
            group[number.bit_length()][1] += cost
    for frame, expected in ((ledger.words(), groups), (ledger.sightings(), sightings)):
        assert frame["from"].to_list() == [1 << (k - 1) for k in sorted(expected)]
        assert frame["words"].to_list() == [expected[k][0] for k in sorted(expected)]
        assert frame["bits"].to_list() == pytest.approx([expected[k][1] for k in sorted(expected)])
    assert ledger.words()["distinct words"].sum() == len(total)


@pytest.mark.parametrize("size", [1, 64, 10_000])
def test_every_bit_is_in_each_table_once(size):
    ledger, bits = filled(TEXT, size)
    for frame in (ledger.classes(), ledger.along()):
        assert frame["bytes"].sum() == len(TEXT)
        assert frame["bits"].sum() == pytest.approx(bits.sum())
    assert ledger.bits == pytest.approx(bits.sum())
    along = ledger.along()
    assert along["bits"][3] == pytest.approx(bits[7:15].sum())
    assert along["from"].to_list() == [1 << k for k in range(len(TEXT).bit_length())]


def test_kinds_of_bytes():
    for byte, kind in KIND.items():
        ledger, _ = filled(byte.encode("latin-1") * 3, 2)
        assert ledger.classes()["byte"].to_list() == [kind]


def test_an_endless_word_does_not_fill_the_memory():
    ledger, bits = filled(b"a" * 10 * LONGEST_WORD, 100)
    assert len(ledger._left) < LONGEST_WORD + 100
    assert ledger.words()["bits"].sum() == pytest.approx(bits.sum())


def test_nothing_costs_nothing():
    ledger, _ = filled(b"", 1)
    assert [len(frame) for frame in (ledger.classes(), ledger.words(), ledger.sightings(), ledger.along())] == [0] * 4


def test_compress_explains_and_decompress_restores(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_bytes(TEXT)
    assert main(["compress", "book.txt", "--method", "fast", "--explain"]) == 0
    size = (tmp_path / "book.txt.tpz").stat().st_size
    assert f"{len(TEXT)} bytes in {size}" in capsys.readouterr().out
    findings = read_findings(tmp_path / "book.txt.tpz.report")
    assert not findings.failed
    assert findings.table("parts")["bits"].sum() == 8 * size
    assert main(["decompress", "book.txt.tpz", "--out", "again"]) == 0
    assert (tmp_path / "again").read_bytes() == TEXT


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compress", "absent"], "absent does not exist"),
        (["compress", "book.txt", "--out", "book.txt"], "book.txt exists"),
        (["decompress", "book.txt", "--out", "x"], "does not begin with its magic bytes"),
        (["compress", "book.txt", "--method", "huge"], "--method"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_bytes(TEXT)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["book.txt"]


def test_an_empty_file_is_explained_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()
    assert main(["compress", "empty", "--method", "fast", "--explain"]) == 0
    assert decompress_file("empty.tpz", "back") == 0
    assert (tmp_path / "back").read_bytes() == b""
