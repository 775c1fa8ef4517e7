"""The drawing script is bundled once, and whatever happens to the copy that is kept, a page gets the whole."""

import platformdirs
import pytest
import vl_convert

from twopart.report._bundle import drawing_library

SCRIPT = "let é = '</script>';"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    yield tmp_path / "cache" / "twopart"
    drawing_library.cache_clear()


@pytest.fixture
def bundled(monkeypatch):
    """What was bundled, by a stand-in for the library, which takes seconds."""
    calls = []
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda export: calls.append(export) or SCRIPT)
    return calls


def afresh():
    """As another process gets it."""
    drawing_library.cache_clear()
    return drawing_library()


def test_it_is_kept_and_read_again(folder, bundled):
    scripts = {afresh() for _ in range(3)}
    assert len(scripts) == len(bundled) == len(list(folder.iterdir())) == 1
    assert "</script" not in scripts.pop()


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"0" * 64 + b"\nalert(1)", None])
def test_what_was_not_written_so_is_not_used(folder, bundled, damage):
    script = afresh()
    (kept,) = folder.iterdir()
    kept.write_bytes(kept.read_bytes()[:-1] if damage is None else damage)
    assert afresh() == script
    assert len(bundled) == 2


def test_where_nothing_can_be_kept_it_is_bundled(folder, bundled):
    folder.parent.mkdir()
    folder.write_text("a file where the folder should be")
    assert afresh() == afresh()
    assert len(bundled) == 2
