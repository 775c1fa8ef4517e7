"""What the pages of docs/ name is there: files, links, and names of the package."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [page for page in sorted((ROOT / "docs").rglob("*.md")) if page.name != "LOG.md"]  # a log keeps what was


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_and_link_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    links = [link for link in re.findall(r"\]\(((?!https?:|#)[^)#\s]+)", text) if not (page.parent / link).exists()]
    paths = re.findall(r"`((?:src|tests|scripts|benchmarks|docs)/[\w./*-]+)`", text)
    assert links + [path for path in paths if not list(ROOT.glob(path))] == []


def test_every_name_of_the_package_exists() -> None:
    found = {name for page in PAGES for name in re.findall(r"\b(?:tp|twopart)((?:\.[A-Za-z_]\w*)+)", page.read_text())}
    assert len(found) > 20
    assert [name for name in sorted(found) if not _exists(name.split(".")[1:])] == []


def _exists(parts: list[str]) -> bool:
    for cut in range(len(parts), -1, -1):
        try:
            value = import_module(".".join(["twopart", *parts[:cut]]))
        except ImportError:
            continue
        return _reaches(value, parts[cut:])
    return False


def _reaches(value: object, parts: list[str]) -> bool:
    for part in parts:
        if not hasattr(value, part):
            return False
        value = getattr(value, part)
    return True
