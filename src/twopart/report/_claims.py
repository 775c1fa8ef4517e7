"""Claims on the page, a line each: badge, sentence, predicted, measured, and a strip that places them. The rule, the source,
the interval in numbers and the unit are folded under the line."""

from __future__ import annotations

import math

from twopart._html import Markup, element, escape
from twopart._numbers import show
from twopart.findings import VERDICTS, Claim, counted

SHAPES = {  # 16 x 16; a tick in a disc, a cross in a square, a bar in a diamond: told apart without colour
    "holds": '<circle cx="8" cy="8" r="8"/><path d="M4.2 8.4l2.6 2.6 5-5.6"/>',
    "fails": '<rect width="16" height="16" rx="2"/><path d="M4.6 4.6l6.8 6.8m0-6.8l-6.8 6.8"/>',
    "inconclusive": '<path d="M8 0l8 8-8 8-8-8z" class="body"/><path d="M4.6 8h6.8"/>',
}
KEY = (
    "Dot and whiskers: the measurement and its interval, on a scale of its own in each line. Dashed line: the prediction. "
    "Open a line for the rule that judged it, its source and its numbers."
)
LABEL = "Measured value and its interval as dot and whiskers; predicted value as a vertical line"
STRIP = 160  # width of a strip, in its own units


def claims_section(claims: tuple[Claim, ...]) -> Markup:
    """The tally, then every claim in the study's order."""
    heading = element("h2", "Claims", id="claims")
    names = [element("span", name) for name in ("", "", "Predicted", "Measured", "")]
    head = element("div", *names, class_="line head", aria_hidden="true")
    items = [_claim(number, claim) for number, claim in enumerate(claims, 1)]
    lines = element("ol", *items, class_="claims")
    return element("section", heading, _tally(claims), element("p", KEY, class_="note"), head, lines)


def _tally(claims: tuple[Claim, ...]) -> Markup:
    """How many claims hold, fail and are inconclusive: a badge for each verdict that occurs."""
    counts = {verdict: sum(claim.verdict == verdict for claim in claims) for verdict in VERDICTS}
    parts = [element("span", _badge(verdict, counted(verdict, n))) for verdict, n in counts.items() if n]
    return element("p", *parts, class_="tally")


def _badge(verdict: str, text: str) -> Markup:
    shape = Markup(f'<svg viewBox="0 0 16 16" aria-hidden="true">{SHAPES[verdict]}</svg>')
    return element("span", shape, text, class_=f"badge {verdict}")


def _claim(number: int, claim: Claim) -> Markup:
    line = (
        _badge(claim.verdict, claim.verdict),
        element("span", claim.statement, class_="statement"),
        _value("predicted", claim.predicted),
        _value("measured", claim.measured),
        _strip(claim),
    )
    fold = element("details", element("summary", *line, class_="line"), _fold(claim))
    return element("li", fold, id=f"claim-{number}")


def _value(name: str, value: float | None) -> Markup:
    """A number under its column's heading; where there is no room for columns, and to who listens, its name is said."""
    return element("span", element("span", f"{name} ", class_="name"), _number(value), class_="value")


def _number(value: float | None) -> str:
    """The number, or why there is none: a claim may predict an order or a sign, and may lack a measurement."""
    if value is None:
        return "as stated"
    return "no value" if math.isnan(value) else show(value)


def _fold(claim: Claim) -> Markup:
    """What a line leaves out."""
    interval = "none" if claim.interval is None else " to ".join(map(show, claim.interval))
    facts = {"Rule": claim.rule, "Source": claim.source, "Interval": interval, "Unit": claim.unit or "a pure number"}
    facts |= {"To decide": claim.to_decide} if claim.to_decide else {}
    pairs = [element("div", element("dt", term), element("dd", words)) for term, words in facts.items()]
    return element("dl", *pairs, class_="words")


def _strip(claim: Claim) -> Markup:
    """Interval and measurement on one line, the prediction as a tick across it; empty where there is nothing to compare."""
    empty = element("span", class_="strip")
    if claim.interval is None:
        return empty
    known = [claim.measured, *claim.interval, *([] if claim.predicted is None else [claim.predicted])]
    low, width = min(known), max(known) - min(known)
    if not (all(map(math.isfinite, known)) and 0 < width < math.inf):
        return empty
    measured, left, right = (_place(value, low, width) for value in known[:3])
    parts = [
        f'<path class="base" d="M0 14H{STRIP}"/>',
        f'<path class="interval" d="M{left} 14H{right}M{left} 9v10M{right} 9v10"/>',
    ]
    if claim.predicted is not None:
        parts.append(f'<path class="predicted" d="M{_place(claim.predicted, low, width)} 2v24"/>')
    parts.append(f'<circle class="measured" cx="{measured}" cy="14" r="5"/>')
    opening = f'<svg class="strip {claim.verdict}" viewBox="0 0 {STRIP} 28" role="img" aria-label="{escape(LABEL)}">'
    return Markup(opening + "".join(parts) + "</svg>")


def _place(value: float, low: float, width: float) -> str:
    """Where a value stands along the strip."""
    return f"{12 + (STRIP - 24) * (value - low) / width:.1f}"
