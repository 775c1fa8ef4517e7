"""A text is known by its digest: the beginning of a file or of the standard library, refused once it has changed."""

import pytest

from twopart._checks import InputError
from twopart.worlds import Text, standard_library
from twopart.worlds.knowledge import text as module


def test_a_text_is_a_beginning(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"to be or not to be" * 100)
    assert Text.now(str(path), 1500).data == (b"to be or not to be" * 100)[:1500]
    assert Text.now(str(path), 5000).size == 1800


def test_the_librarys_files_follow_each_other():
    first, second = (path.read_bytes() for path in [f for f in standard_library() if f.stat().st_size][:2])
    text = Text.now("", len(first) + 7)
    assert text.data == first + second[:7]


def test_a_text_that_changed_is_refused(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"a" * 2000)
    source = Text.now(str(path), 2000)
    path.write_bytes(b"b" * 2000)
    module._read.cache_clear()
    with pytest.raises(InputError, match="has changed since the run began"):
        _ = source.data
