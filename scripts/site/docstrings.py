"""Doc strings on the site: a griffe extension that sets their formulas as on pages."""

from __future__ import annotations

import re
from typing import Any

import griffe
from scripts.site.prose import prepared

COLUMNS = re.compile(r"^(?! ).*\S {3,}\S", re.M)


class Prepared(griffe.Extension):
    """Sets the formulas of every doc string."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = prepared("\n\n".join(map(_kept, obj.docstring.value.split("\n\n"))))


def _kept(paragraph: str) -> str:
    """A paragraph, or its lines as they are where they stand in columns."""
    return f"```text\n{paragraph}\n```\n" if COLUMNS.search(paragraph) else paragraph
