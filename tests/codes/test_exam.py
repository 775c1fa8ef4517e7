"""What held-out documents cost by how familiar their words are, against loops."""

import numpy as np
import polars as pl
import pytest

from twopart.codes import FAMILIARITY, Exam, Marks
from twopart.codes.exam import seen_before
from twopart.worlds import word_spans

DOCUMENTS = (b"alpha beta, gamma\n", b"beta  delta alpha\n")
TEXT = b"alpha " * 12 + b"beta beta delta delta delta delta " + b"gamma"
ENDS = np.array([2, 5, 6, 8, 10, 11, 12, 15, 17, 18, 20, 22, 24, 27, 29, 30, 33, 35, 36])


def test_words_are_counted_as_a_loop_would():
    text = b"a b a c a b\nd a " * 30
    sizes = (16, 64, len(text))
    found = seen_before([b"a", b"b", b"zz"], text, sizes)
    for row, size in zip(found, sizes, strict=True):
        parts = text[:size].split()
        assert row.tolist() == [parts.count(b"a"), parts.count(b"b"), 0]


def test_an_exam_sums_what_a_loop_sums():
    sizes = (72, len(TEXT))
    bits = np.random.default_rng(1).random(len(ENDS))
    whole = b"".join(DOCUMENTS)
    exam = Exam(DOCUMENTS, TEXT, sizes)
    for moment, size in enumerate(sizes):
        frame = exam.mark(moment, bits, ENDS)
        assert frame["bits"].sum() == pytest.approx(bits.sum())
        assert frame["length"].sum() == len(whole)
        expected, start = {}, 0
        for end, cost in zip(ENDS, bits, strict=True):
            word = next((whole[a:b] for a, b in word_spans(DOCUMENTS) if a <= start < b), None)
            count = TEXT[:size].split().count(word)
            name = "between" if word is None else FAMILIARITY[sum(count >= least for least in (1, 4, 11))]
            key = int(start >= len(DOCUMENTS[0])), name
            expected[key] = expected.get(key, 0.0) + cost
            start = end
        charged = frame.filter(pl.col("length") > 0).select("document", "familiarity", "bits")
        assert {(d, f): b for d, f, b in charged.iter_rows()} == pytest.approx(expected)
        assert frame["words"].sum() == 6


def test_a_cube_holds_every_mark_in_its_place():
    sizes, bits = (72, len(TEXT)), np.arange(len(ENDS), dtype=float)
    marks = pl.concat([Exam(DOCUMENTS, TEXT, sizes).mark(k, bits * (k + 1), ENDS) for k in range(2)])
    found = Marks(marks, sizes).cube("bits")
    for row in marks.iter_rows(named=True):
        place = row["document"], sizes.index(row["size"]), FAMILIARITY.index(row["familiarity"])
        assert found[place] == row["bits"]
    assert Marks(marks, sizes).per_byte == pytest.approx(bits.sum() * np.array([1, 2]) / len(b"".join(DOCUMENTS)))
