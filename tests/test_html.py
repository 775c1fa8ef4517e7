"""Whatever a string holds, a reader of the HTML gets that string back and nothing else. The standard parser is the judge."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twopart._html import Markup, element, json_script, paragraphs

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"))
hostile = st.sampled_from(
    ["</script>", "<script>x()</script>", "<!--", "]]>", "&lt;", '"', "'", "<img src=x onerror=x()>", "\u2028"]
)
strings = st.lists(text | hostile, max_size=4).map("".join)


class Reader(HTMLParser):
    """What elements there are, with their attributes, and the text in them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def parse(markup: str) -> Reader:
    reader = Reader()
    reader.feed(markup)
    reader.close()
    return reader


@given(strings, strings)
@example("</script><script>alert(1)</script>", '" onmouseover="alert(1)')
def test_text_and_attributes_come_back_as_they_were(content: str, attribute: str) -> None:
    read = parse(element("p", content, title=attribute))
    assert read.elements == [("p", {"title": attribute})]
    assert read.text == content


json_values = st.recursive(
    strings | st.none() | st.booleans() | st.integers(-(2**53), 2**53),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
@example(["</script><script>alert(1)</script>", "<!-- <script>"])
def test_data_cannot_leave_its_script(value: Any) -> None:
    markup = json_script(value, "data")
    read = parse(f"<div>{markup}<b>after</b></div>")
    assert [tag for tag, _ in read.elements] == ["div", "script", "b"]
    assert json.loads(read.text.removesuffix("after")) == value
    assert "<" not in markup.split(">", 1)[1].removesuffix("</script>")


def test_data_without_a_place_in_json_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_script([float("nan")], "data")


def test_markup_is_escaped_once() -> None:
    assert element("p", element("b", "a & b"), Markup("<br>")) == "<p><b>a &amp; b</b><br></p>"
    assert paragraphs("one <\n\n\n\ntwo") == "<p>one &lt;</p><p>two</p>"
