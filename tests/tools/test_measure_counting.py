"""Counting: every word, gap and block against Python's own tools, on any bytes."""

import codecs
import re
import unicodedata
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from twopart.tools.measure import vocabulary
from twopart.tools.measure.blocks import Blocks
from twopart.tools.measure.sources import cut, in_utf8, readable
from twopart.tools.measure.tally import Spectrum, Tally, milestone_after
from twopart.tools.measure.units import UNITS, Renumbered, Words
from twopart.tools.measure.vocabulary import IN_IDENTIFIER, Vocabulary

TEXTS = st.text(max_size=300) | st.text("abe_1é語\u0301\u200c\u200d\u00ad\u200b \n-", max_size=300)
ANY_BYTES = st.binary(max_size=300) | TEXTS.map(str.encode)
FORMAT = [chr(point) for point in range(0x110000) if unicodedata.category(chr(point)) == "Cf"]
JOINERS = "\u200c\u200d"
LOOKED_THROUGH = regex.compile(r"[\p{Word_Break=Format}\p{Word_Break=Extend}]")  # by another library's database
UNSEEN = {ord(sign): None for sign in FORMAT if sign not in JOINERS and LOOKED_THROUGH.match(sign)}


def words(text: str) -> list[str]:
    """Runs of letters and marks, with joiners between them, lower-cased, by Python's character database."""
    text = "".join(map(lower, unicodedata.normalize("NFC", text).translate(UNSEEN)))
    parted = "".join(c if unicodedata.category(c)[0] in "LM" or c in JOINERS else " " for c in text).split(" ")
    return [word for word in (part.strip(JOINERS) for part in parted) if word]


def lower(letter: str) -> str:
    """One letter for one letter."""
    return letter.lower() if len(letter.lower()) == 1 else letter


def test_every_code_point_in_lower_case() -> None:
    text = "".join(chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
    assert vocabulary.lowered(text.encode()).decode() == "".join(map(lower, text.translate(UNSEEN)))


def found(unit: str, data: bytes) -> list[str]:
    counter = UNITS[unit]()
    pieces = map(mended, cut([data])) if counter.reads_text else cut([data])
    return [counter.name(number) for piece in pieces for number in counter.numbers(piece)]


def mended(data: bytes) -> bytes:
    return readable(data)[0]


@settings(max_examples=300, deadline=None)
@given(ANY_BYTES)
def test_identifiers_are_those_of_re(data: bytes) -> None:
    assert found("identifiers", data) == re.findall(r"\w+", unicodedata.normalize("NFC", data.decode(errors="replace")))


@settings(max_examples=300, deadline=None)
@given(ANY_BYTES)
def test_words_are_runs_of_letters_and_marks(data: bytes) -> None:
    assert found("words", data) == words(data.decode(errors="replace"))


def test_format_characters_part_words_where_annex_29_has_them_part() -> None:
    """Rule WB4: what has the word break property Format, Extend or ZWJ is looked through, and no other of the category Cf."""
    for sign in FORMAT:
        through = sign in JOINERS or LOOKED_THROUGH.match(sign)
        assert len(found("words", f"a{sign}b".encode())) == (1 if through else 2), hex(ord(sign))
        assert found("words", f"{sign}ab{sign} {sign}".encode()) == ["ab"]


def test_accents_typed_apart_make_no_other_word() -> None:
    for unit in ("words", "identifiers"):
        assert found(unit, "café cafe\u0301 ﬁn".encode()) == ["café", "café", "ﬁn"]


@pytest.mark.parametrize("text", ["ab 語 漢字 ไทย ひらがな", "語" * 30 + " a" * 10, "한국어 हिन्दी Ελλάδα"])
def test_letters_of_scripts_without_spaces_are_counted(text: str) -> None:
    counter = UNITS["words"]()
    assert isinstance(counter, Words)
    counts = np.bincount(counter.numbers(text.encode()), minlength=len(counter.vocabulary))
    letters = len(regex.findall(r"\p{L}", text))
    for script, pattern in (("CJK", r"\p{Han}"), ("Thai", r"(?=\p{L})\p{Thai}"), ("Hiragana", r"\p{Hiragana}")):
        share = len(regex.findall(pattern, text)) / letters
        assert counter.unspaced(counts).get(script, 0.0) == pytest.approx(share)


@settings(max_examples=300, deadline=None)
@given(ANY_BYTES)
def test_bytes_that_are_no_utf8_are_counted(data: bytes) -> None:
    """By an error handler of Python's decoder, which is told where each of them is."""
    bad = []
    codecs.register_error("counting", lambda error: (bad.append(error.end - error.start), ("\ufffd", error.end))[1])
    assert readable(data) == (data.decode(errors="counting").encode(), sum(bad))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-8"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_text_with_a_mark_is_the_same_in_utf8(encoding: str, size: int) -> None:
    text = "Ελλάδα 😀 \u200c and more"
    data = f"\ufeff{text}".encode(encoding)
    stream = iter([data[:4]] + [data[k : k + size] for k in range(4, len(data), size)])
    name, parts = in_utf8(stream, None, unread=pytest.fail)
    assert (name, b"".join(parts).decode()) == (encoding, text)


@pytest.mark.parametrize(
    ("encoding", "data", "text", "bad"),
    [
        ("utf-16-le", b"a\0\0\xd8b\0c", "a\ufffdb\ufffd", 3),
        ("cp1252", b"a\x81\xe9\xef\xbf\xbd", "a\ufffdéï¿½", 1),
        ("ascii", b"a\xc3\xa9", "a\ufffd\ufffd", 2),
    ],
)
def test_what_is_no_text_in_its_encoding_is_counted(encoding: str, data: bytes, text: str, bad: int) -> None:
    told: list[int] = []
    _, parts = in_utf8(iter([data]), encoding, told.append)
    assert (b"".join(parts).decode(), sum(told)) == (text, bad)


@settings(deadline=None)
@given(ANY_BYTES)
def test_bytes_are_bytes(data: bytes) -> None:
    assert found("bytes", data) == [repr(bytes([byte]))[1:] for byte in data]


@settings(deadline=None)
@given(st.lists(ANY_BYTES, max_size=8))
def test_numbers_go_by_first_appearance_and_survive_pieces(pieces: list[bytes]) -> None:
    pieces = [mended(piece) for piece in pieces]
    joined = b" ".join(pieces)
    whole, parts = UNITS["identifiers"](), UNITS["identifiers"]()
    numbers = np.concatenate([parts.numbers(piece + b" ") for piece in pieces] or [np.empty(0, int)])
    assert np.array_equal(numbers, whole.numbers(joined))
    first = list(dict.fromkeys(numbers.tolist()))
    assert first == list(range(len(first)))


def test_tables_grow() -> None:
    """Many more words than the first table has slots, letters and ends."""
    small = Vocabulary(IN_IDENTIFIER, slots=16)
    small._letters = np.empty(4, np.uint8)
    text = [f"w{k * k}" for k in range(60_000)] * 2
    numbers = small.numbers(" ".join(text).encode())
    assert numbers.tolist() == [*range(60_000)] * 2
    assert [small.word(k) for k in (0, 1, 59_999)] == ["w0", "w1", f"w{59_999**2}"]
    assert len(small) == 60_000


def test_words_of_equal_hash_are_told_apart() -> None:
    """Two known words whose 64-bit FNV-1a hashes agree."""
    pair = [b"gMPflVXtwGDXbIhP73TX", b"LtHf1prlU1bCeYZEdqWf"]
    assert fnv1a(pair[0]) == fnv1a(pair[1])
    small = Vocabulary(IN_IDENTIFIER)
    assert small.numbers(b" ".join([*pair, *pair])).tolist() == [0, 1, 0, 1]
    assert [small.word(k).encode() for k in range(2)] == pair


def fnv1a(data: bytes) -> int:
    code = 0xCBF29CE484222325
    for byte in data:
        code = (code ^ byte) * 0x100000001B3 % 2**64
    return code


def test_ascii_classes_are_the_first_of_all() -> None:
    assert np.array_equal(vocabulary.ascii_classes(), vocabulary.classes()[:128])


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(1, 9))
def test_cutting_keeps_every_byte_and_every_word(data: bytes, size: int) -> None:
    pieces = list(cut([data[k : k + size] for k in range(0, len(data), size)]))
    assert b"".join(pieces) == data
    assert all(piece[-1] in b" \n\t\r" for piece in pieces[:-1])


def test_a_run_without_space_is_cut_between_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twopart.tools.measure.sources.LONGEST", 10)
    text = "語é😀a" * 10
    data = text.encode()
    for size in (1, 2, 3, 5, 7):
        pieces = list(cut([data[k : k + size] for k in range(0, len(data), size)]))
        assert len(pieces) > 5
        assert "".join(piece.decode() for piece in pieces) == text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=400), st.integers(1, 50))
def test_the_tally_against_lists(tokens: list[int], size: int) -> None:
    tally, table = Tally(), Renumbered(31)
    for k in range(0, len(tokens), size):
        tally.add(table.numbers(np.array(tokens[k : k + size])))
    order, n = list(dict.fromkeys(tokens)), len(tokens)
    assert [table.token(k) for k in range(len(order))] == order
    assert tally.counts.tolist() == [tokens.count(one) for one in order]
    assert tally.cyclic_squares().tolist() == [_squares(tokens, one) for one in order]
    stones = [stone for stone in _milestones() if stone <= n]
    assert [stone.tokens for stone in tally.milestones] == stones
    for stone in tally.milestones:
        assert dict(zip(stone.spectrum.sizes, stone.spectrum.types, strict=True)) == Counter(
            Counter(tokens[: stone.tokens]).values()
        )


def _squares(tokens: list[int], one: int) -> int:
    """Squared gaps on the circle."""
    places = [k for k, token in enumerate(tokens) if token == one]
    return sum((b - a) ** 2 for a, b in pairwise([*places, places[0] + len(tokens)]))


def _milestones() -> list[int]:
    """Rounded powers of 10^(1/20)."""
    return sorted({round(10 ** (k / 20)) for k in range(72)})


def test_milestones() -> None:
    found, at = [], 0
    while at < 3000:
        at = milestone_after(at)
        found.append(at)
    assert found == [stone for stone in _milestones() if stone <= found[-1]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40) | st.just(bytes(9)), max_size=6), st.integers(1, 8))
def test_blocks_against_slices(pieces: list[bytes], size: int) -> None:
    blocks = Blocks(size)
    for piece in pieces:
        blocks.add(piece)
    data = b"".join(pieces)
    counts = Counter(data[k : k + size] for k in range(len(data) - size + 1))
    assert blocks.spectrum().counts().tolist() == sorted(counts.values(), reverse=True)


def test_blocks_do_not_run_from_text_to_text_and_tables_grow() -> None:
    blocks = Blocks(3)
    data = np.random.default_rng(3).integers(0, 256, 40_000, dtype=np.uint8).tobytes()
    expected: Counter[bytes] = Counter()
    for start in (0, 20_000):
        part = data[start : start + 20_000]
        blocks.restart()
        blocks.add(part[:7])
        blocks.add(part[7:])
        expected.update(part[k : k + 3] for k in range(len(part) - 2))
    assert blocks.spectrum().counts().tolist() == sorted(expected.values(), reverse=True)


def test_a_spectrum_is_its_counts() -> None:
    spectrum = Spectrum.of([3, 0, 1, 1, 7])
    assert (spectrum.tokens, spectrum.distinct, spectrum.seen(1), spectrum.seen(2)) == (12, 4, 2, 0)
    assert spectrum.counts().tolist() == [7, 3, 1, 1]
