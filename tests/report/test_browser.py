"""The page in a real browser: nothing fetched, nothing complained about, every chart drawn, readable on every screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import altair as alt
import polars as pl
import pytest

from tests.report import sample, test_heat_map
from tests.report.browser import PROGRAM, Browser, chromium
from twopart.findings import Chart, Claim, Findings, Table
from twopart.report import Axis, Drawn, HeatMap, theme, write_report
from twopart.report.charts import curves, finish

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="no chromium on PATH: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    return write_report(sample.findings(), folder, config=sample.CONFIG, environment=sample.ENVIRONMENT)


OWN = [theme.light(name) for name in ("vermillion", "paper", "blue")]
SCREENS = [(1280, False), (1280, True), (390, False), (390, True)]


@pytest.mark.parametrize(("width", "dark"), SCREENS)
def test_it_opens_in_silence_and_fits(browser: Browser, page: Path, width: int, dark: bool) -> None:
    browser.open(page, width=width, dark=dark)
    assert browser.requested() == [page.as_uri()]
    assert browser.complaints() == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_every_chart_is_drawn(browser: Browser, page: Path) -> None:
    browser.open(page)
    seen = (
        "[...figure.querySelectorAll('svg .role-mark path')].filter((p) => p.getBoundingClientRect().width > 0).length"
    )
    figures = browser.evaluate(f"[...document.querySelectorAll('figure')].map((figure) => [figure.id, {seen}])")
    assert [name for name, _ in figures] == ["figure-redundancy", "figure-roles", "figure-control"]
    assert all(count > 100 for _, count in figures)
    assert browser.evaluate("document.querySelector('#figure-redundancy svg').textContent.includes('discount 0.8')")


def test_the_main_figure_opens_the_page_then_the_claims_then_the_rest(browser: Browser, page: Path) -> None:
    browser.open(page)
    parts = ["h1", "#figure-redundancy svg", "#claims", "#claim-1", "#claim-8", "#figure-roles", "#tables", ".run"]
    tops = browser.evaluate(f"{json.dumps(parts)}.map((p) => document.querySelector(p).getBoundingClientRect().top)")
    assert tops == sorted(tops)
    assert tops[1] < 350, "on the first screen, whatever its height"


LINES = "[...document.querySelectorAll('.claims summary')]"
SHOWN = "((e) => e.checkVisibility({ contentVisibilityAuto: true }) && e.getBoundingClientRect().height > 0)"


def test_a_claim_is_a_line_with_its_numbers_in_columns(browser: Browser, page: Path) -> None:
    browser.open(page)
    lines = browser.evaluate(
        f"{LINES}.map((e) => [...e.children].map((c) => c.getBoundingClientRect()).map((b) => "
        "[b.left, b.right, b.height]))"
    )
    ends = [[right for _, right, _ in line][1:] for line in lines]
    assert len(lines) == 8
    assert all(line == ends[0] == sorted(line) for line in ends), "columns stand below each other"
    assert all(height < 30 for line in lines for *_, height in line)


def test_a_strip_places_measurement_interval_and_prediction(browser: Browser, page: Path) -> None:
    """Claim 4: -0.2514, interval -0.271 to -0.232, prediction -0.2: to the right of all."""
    browser.open(page)
    left, right = browser.evaluate(
        "(({ left, right }) => [left, right])(document.querySelector('#claim-4 .interval').getBoundingClientRect())"
    )
    dot, tick = browser.evaluate(
        "['measured', 'predicted'].map((name) => "
        "document.querySelector(`#claim-4 .${name}`).getBoundingClientRect()).map((b) => b.left + b.width / 2)"
    )
    assert left < dot < right < tick
    strip = browser.evaluate("document.querySelector('#claim-4 .strip').getBoundingClientRect().width")
    assert tick - left > 0.8 * strip, "what is compared fills the strip"
    assert (dot - left) / (tick - left) == pytest.approx((0.271 - 0.2514) / (0.271 - 0.2), abs=0.02)


@pytest.mark.parametrize("scripts", [True, False])
def test_a_click_unfolds_rule_and_source(browser: Browser, page: Path, scripts: bool) -> None:
    rules = f"[...document.querySelectorAll('.claims dl')].map({SHOWN})"
    browser.open(page)
    browser.call("Emulation.setScriptExecutionDisabled", value=not scripts)
    try:
        browser.call("Page.navigate", url=page.as_uri())
        browser.wait("document.readyState === 'complete' && document.querySelector('#claim-8') !== null")
        assert not any(browser.evaluate(rules))
        x, y = browser.evaluate(
            "(() => { const e = document.querySelector('#claim-4 summary'); e.scrollIntoView({ behavior: 'instant' });"
            "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        browser.wait(f"({rules}).includes(true)")
        assert browser.evaluate(rules) == [n == 4 for n in range(1, 9)]
        text = browser.evaluate("document.querySelector('#claim-4 dl').innerText")
        claim = sample.claims()[3]
        for words in (claim.rule, claim.source, "−0.271 to −0.232", "a pure number"):
            assert words in text
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_the_keyboard_unfolds_a_claim(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.evaluate("document.querySelector('#claim-2 summary').focus()")
    for kind in ("keyDown", "keyUp"):
        browser.call(
            "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r"
        )
    browser.wait("document.querySelector('#claim-2 details').open")


def test_paper_shows_what_is_folded(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    # Chromium's emulation does not lay out anew what only a change of medium unfolds; printing does.
    browser.evaluate(
        "(({ style }) => { style.display = 'none'; document.body.offsetHeight; style.display = '' })(document.body)"
    )
    assert browser.evaluate(f"[...document.querySelectorAll('.claims dl, .run table')].every({SHOWN})")


def test_words_without_end_do_not_spread_the_page(browser: Browser, tmp_path: Path) -> None:
    long = "x" * 400
    claim = Claim(long, 1e300, -1.234e-300, (-2e-300, 1e300), long, "inconclusive", long, long)
    frame = pl.DataFrame({long: [long]})
    findings = Findings(
        long, long, (claim,), (Table("t", long, frame, long),), (Chart("c", long, sample.small().charts[0].spec, long),)
    )
    page = write_report(findings, tmp_path, config={long: long}, environment={})
    for width in (320, 390, 700, 1280):
        browser.open(page, width=width)
        browser.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
        assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_page_and_figures_use_the_font_that_comes_with_them(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.evaluate("[...document.fonts].map((f) => [f.family, f.weight, f.status])") == [
        ["Twopart Sans", "400", "loaded"],
        ["Twopart Sans", "600", "loaded"],
    ]
    for place in ("h1", ".statement", "svg .role-axis-label text"):
        assert browser.evaluate(f"getComputedStyle(document.querySelector('{place}')).fontFamily").startswith(
            '"Twopart Sans"'
        )


def test_verdicts_are_seen_in_words_and_shapes(browser: Browser, page: Path) -> None:
    browser.open(page)
    badges = browser.evaluate(
        "[...document.querySelectorAll('.claims .badge')].map((b) => "
        "[b.innerText, b.checkVisibility(), b.querySelector('svg').firstElementChild.tagName])"
    )
    shapes = {"holds": "circle", "fails": "rect", "inconclusive": "path"}
    assert badges == [[claim.verdict, True, shapes[claim.verdict]] for claim in sample.claims()]


# The contrast of every piece of text with what is behind it, by the definition of WCAG 2.2; returns those below 4.5.
FAINT = """
(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const linear = (s) => (s /= 255) <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const opaque = (colour) => colour.startsWith("rgb(");
  const ground = (e) => { while (e && !opaque(getComputedStyle(e).backgroundColor)) e = e.parentElement;
    return parts(getComputedStyle(e).backgroundColor); };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  let count = 0;
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !e.checkVisibility() || e.closest("script, style, noscript")) continue;
    const colour = e.closest("svg.marks") ? getComputedStyle(e).fill : getComputedStyle(e).color;
    const [dark, bright] = [light(parts(colour)), light(ground(e))].sort((a, b) => a - b);
    const contrast = (bright + 0.05) / (dark + 0.05);
    count += 1;
    if (contrast < 4.5) faint.push([walker.currentNode.data, contrast]);
  }
  return [count, faint];
})()
"""


@pytest.mark.parametrize("dark", [False, True])
def test_all_text_is_readable(browser: Browser, page: Path, dark: bool) -> None:
    browser.open(page, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    count, faint = browser.evaluate(FAINT)
    assert count > 800
    assert faint == []
    browser.evaluate("document.querySelector('#claims ~ .note').style.color = '#777777'")
    assert len(browser.evaluate(FAINT)[1]) == 1, "the measure sees a grey that is too faint on either paper"


def test_dark_charts_turn_light_on_paper(browser: Browser, page: Path) -> None:
    browser.open(page, dark=True)
    label = "getComputedStyle(document.querySelector('#figure-control svg .role-axis-label text')).fill"
    assert browser.evaluate(label) == "rgb(232, 234, 237)"
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    browser.call("Emulation.setEmulatedMedia", media="print", features=[dark])
    assert browser.evaluate(label) == "rgb(27, 31, 36)"
    assert browser.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"


def test_a_heat_map_keeps_its_colours_on_the_page(browser: Browser, tmp_path: Path) -> None:
    """A scale between colours would turn black if they became variables."""
    axes: dict[str, Any] = {
        "x": Axis("centre", "c"),
        "y": Axis("neuron", "n"),
        "colour": Axis("cosine", "cosine", log=False),
    }
    turning = HeatMap("turning", "t", "cells", **axes, columns="labels", centre=0.0)
    encode = {
        "x": "centre:N",
        "y": "neuron:N",
        "color": alt.Color("cosine:Q", scale=alt.Scale(range=OWN, interpolate="rgb")),
    }
    own = Drawn("own", "o", "cells", lambda f: finish(alt.Chart(f).mark_rect().encode(**encode), description="d"))
    charts = [figure.draw({"cells": test_heat_map.cells()}) for figure in (turning, own)]
    page = write_report(Findings("t", "s", (), (), tuple(c for c in charts if c)), tmp_path, config={}, environment={})
    for dark in (False, True):
        browser.open(page, dark=dark)
        for name in ("turning", "own"):
            shapes = f"[...document.querySelectorAll('#figure-{name} svg .mark-rect.role-mark path')]"
            fills = browser.evaluate(f"{shapes}.map((p) => p.getAttribute('fill'))")
            saved = ElementTree.parse(tmp_path / f"figures/{name}.svg")
            marks = [g for g in saved.iter(f"{test_heat_map.SVG}g") if "mark-rect role-mark" in g.get("class", "")]
            assert fills == [path.get("fill") for group in marks for path in group]
            assert len(set(fills)) > 3


def test_a_point_tells_its_numbers(browser: Browser, page: Path) -> None:
    browser.open(page)
    x, y = browser.evaluate(
        "(() => { const figure = document.querySelector('#figure-control');"
        "figure.scrollIntoView({ behavior: 'instant' });"
        "const points = [...figure.querySelectorAll('svg .mark-symbol path')].filter((p) => p.getAttribute('opacity') === '0');"
        "const box = points.at(-1).getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    browser.wait("document.querySelector('#vg-tooltip-element.visible') !== null")
    tooltip = browser.evaluate("document.querySelector('#vg-tooltip-element').innerText")
    assert "transformer, 5 seeds" in tooltip
    assert "1,000,000" in tooltip


def test_a_click_on_the_legend_fades_the_others(browser: Browser, page: Path) -> None:
    browser.open(page)
    x, y = browser.evaluate(
        "(() => { document.querySelector('#figure-control').scrollIntoView({ behavior: 'instant' });"
        "const box = document.querySelector('#figure-control .role-legend-symbol path').getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    paths = "[...document.querySelectorAll('#figure-control svg .mark-line.role-mark path')]"
    lines = f"{paths}.map((p) => p.getAttribute('opacity'))"
    browser.wait(f"({lines}).includes('0.12')")
    assert browser.evaluate(lines) == ["0.12", "1", "0.12"], "asymptote, exact law, transformer"


def test_the_keyboard_reaches_what_scrolls(browser: Browser, page: Path) -> None:
    browser.open(page, width=380)
    scrolls = (
        "[...document.querySelectorAll('.chart, .box')].filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth)"
        ".map((e) => [e.tabIndex, document.getElementById(e.getAttribute('aria-labelledby')).innerText])"
    )
    boxes = browser.evaluate(scrolls)
    assert [name for _, name in boxes if name[0] == "R" or name[:2] == "Sl"] == [
        "Redundancy per sentence",
        "Slopes by discount",
    ]
    assert all(index == 0 for index, _ in boxes)


def test_without_scripts_the_saved_pictures_are_shown(browser: Browser, page: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.call("Page.navigate", url=page.as_uri())
        browser.wait("document.images.length === 3 && [...document.images].every((image) => image.naturalWidth > 300)")
        assert browser.complaints() == []
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


EVIL = "</script></style><script>window.hacked = true</script><img src=x onerror='window.hacked = true'>\"'&amp;"


def test_no_string_becomes_code(browser: Browser, tmp_path: Path) -> None:
    frame = pl.DataFrame({"series": [EVIL] * 3, EVIL: [1.0, 10.0, 100.0], "bits": [3.0, 2.0, 1.0], "panel": [EVIL] * 3})
    spec = curves(frame, x=Axis(EVIL, EVIL), y=Axis("bits", EVIL, EVIL), kinds={EVIL: "learner"}, columns="panel")
    claim = Claim(EVIL, 1.0, 1.0, (0.5, 2.0), EVIL, "holds", EVIL, EVIL)
    table = Table("evil", EVIL, frame, EVIL)
    findings = Findings(EVIL, EVIL, (claim,), (table,), (Chart("evil", EVIL, spec, EVIL),))
    page = write_report(findings, tmp_path, config={EVIL: EVIL}, environment={"a": {EVIL: [EVIL]}})
    browser.open(page)
    x, y = browser.evaluate(
        "(() => { document.querySelector('svg.marks').scrollIntoView({ behavior: 'instant' });"
        "const box = [...document.querySelectorAll('.mark-symbol.role-mark path')].at(-1).getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    browser.wait("document.querySelector('#vg-tooltip-element.visible') !== null")
    assert EVIL in browser.evaluate("document.querySelector('#vg-tooltip-element').innerText")
    assert browser.evaluate("document.title") == EVIL
    assert browser.evaluate("document.querySelector('h1').innerText") == EVIL
    assert browser.evaluate("window.hacked") is None
    assert (browser.complaints(), browser.requested()) == ([], [page.as_uri()])


def test_the_browser_does_notice(browser: Browser, tmp_path: Path) -> None:
    """A page that fetches, warns, throws and spreads: without this, silence above would prove nothing."""
    page = tmp_path / "bad.html"
    page.write_text(
        "<div style='width: 3000px'>wide</div><img src='http://127.0.0.1:9/x.png'>"
        "<script>console.warn('careful'); throw new Error('broken')</script>"
    )
    browser.open(page)
    browser.wait("document.images[0].complete")
    assert browser.requested() == [page.as_uri(), "http://127.0.0.1:9/x.png"]
    complaints = " | ".join(browser.complaints())
    for word in ("careful", "broken", "ERR_"):
        assert word in complaints
    assert browser.evaluate("document.documentElement.scrollWidth") == 3008


def test_the_page_itself_refuses_to_fetch(browser: Browser, page: Path, tmp_path: Path) -> None:
    """Whatever came into the page, its policy stops it."""
    leaky = tmp_path / "leaky.html"
    leaky.write_text(page.read_text().replace("<main>", "<main><script>fetch('http://127.0.0.1:9/x')</script>"))
    browser.open(leaky)
    assert browser.requested() == [leaky.as_uri()]
    assert any("Content Security Policy" in complaint for complaint in browser.complaints())
