"""Real text as documents: in an order, divided, cut at line ends, and its words."""

import numpy as np
import pytest

from twopart.worlds import divide, word_spans, words_of


def texts(count=60):
    """Documents of a few hundred words each."""
    random = np.random.default_rng(5)
    return [" ".join(f"w{i}" for i in random.zipf(1.5, 400) % 5000).encode() + b"\n" for _ in range(count)]


def divided(size=60_000, held_out=15_000, seed=3):
    return divide(texts(), size, held_out, np.random.default_rng(seed))


def test_a_longer_text_begins_as_the_shorter_one():
    long, short = divided(), divided(size=30_000)
    assert len(long.text) == 60_000
    assert long.text.startswith(short.text)
    assert long.held_out == short.held_out
    assert not set(long.held_out) & set(long.read)
    assert sum(map(len, long.held_out)) >= 15_000
    assert divided(seed=4).text != long.text


def test_no_document_decides():
    files = [b"x" * 5000 + b"\n", *texts()]
    assert max(map(len, divide(files, 60_000, 20_000, np.random.default_rng(0)).held_out)) <= 2000


def test_few_files_are_cut_at_line_ends():
    lines = [f"line {k} {'x' * (k % 70)}\n".encode() for k in range(20_000)]
    found = divide([b"".join(lines)], 400_000, 170_000, np.random.default_rng(0))
    assert all(document.endswith(b"\n") for document in (*found.read[:-1], *found.held_out))
    assert all(len(document) >= 1 << 14 for document in found.held_out)
    seen = b"".join((*found.read, *found.held_out)).splitlines(keepends=True)
    assert len(set(seen) - set(lines)) <= 1, "only where the text ends is a line cut"


def test_the_digest_tells_texts_apart():
    assert divided().digest == divided().digest
    assert divided().digest != divided(held_out=19_000).digest
    assert divided().digest != divided(size=60_001).digest


def test_too_little_text_is_refused():
    with pytest.raises(ValueError, match=r"`size` must be at most what there is, \d+ bytes .*, got 9000000; "):
        divided(size=9_000_000)


def test_words_lie_where_their_spans_say():
    documents = (b"the cat_2, the ", b"dog\xc3\xa9s+2")
    spans = word_spans(documents)
    assert [b"".join(documents)[a:b] for a, b in spans] == [b"the", b"cat_2", b"the", b"dog\xc3\xa9s", b"2"]
    assert [word for document in documents for word in words_of(document)] == [
        b"the",
        b"cat_2",
        b"the",
        b"dog\xc3\xa9s",
        b"2",
    ]
    assert word_spans((b"a", b"b")).tolist() == [[0, 1], [1, 2]], "no word reaches across two documents"
    assert word_spans((b"...",)).shape == (0, 2)
