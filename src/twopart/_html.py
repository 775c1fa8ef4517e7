"""Strings into HTML, safely: text is escaped once, when it enters an element, and JSON never ends the script it stands in."""

from __future__ import annotations

import html
import json
from typing import Any


class Markup(str):
    """HTML that is ready; every other string is text and gets escaped."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str) -> Markup:
    """`<tag attributes>children</tag>`; a trailing underscore in an attribute's name is dropped, others become hyphens."""
    opening = "".join(f' {_attribute(name)}="{escape(value)}"' for name, value in attributes.items())
    return Markup(f"<{tag}{opening}>{join(children)}</{tag}>")


def join(children: tuple[str, ...] | list[Markup], between: str = "") -> Markup:
    """The children one after the other, those that are text escaped."""
    return Markup(between.join(escape(child) for child in children))


def escape(text: str) -> Markup:
    """`text` as HTML, fit for an element's content and for a quoted attribute."""
    return text if isinstance(text, Markup) else Markup(html.escape(text, quote=True))


def paragraphs(text: str) -> Markup:
    """Blank lines separate paragraphs."""
    return join([element("p", part.strip()) for part in text.split("\n\n") if part.strip()])


def json_script(value: Any, identity: str) -> Markup:
    """`value` as a data block that scripts can read: with `<` escaped, nothing in it can close the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    safe = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return Markup(f'<script type="application/json" id="{escape(identity)}">{safe}</script>')


def _attribute(name: str) -> str:
    return name.rstrip("_").replace("_", "-")
