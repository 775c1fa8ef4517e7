"""Claims on the page: a badge, the sentence, the numbers with a small strip that places them, the rule and the source."""

from __future__ import annotations

import math

from twopart.findings import VERDICTS, Claim
from twopart.report._html import Markup, element, escape, join
from twopart.report._numbers import show

SHAPES = {  # 16 x 16; a tick in a disc, a cross in a square, a bar in a diamond: told apart without colour
    "holds": '<circle cx="8" cy="8" r="8"/><path d="M4.2 8.4l2.6 2.6 5-5.6"/>',
    "fails": '<rect width="16" height="16" rx="2"/><path d="M4.6 4.6l6.8 6.8m0-6.8l-6.8 6.8"/>',
    "inconclusive": '<path d="M8 0l8 8-8 8-8-8z" class="body"/><path d="M4.6 8h6.8"/>',
}
KEY = "Beside the numbers: a dot and whiskers for the measurement and its interval, a dashed line for the prediction."
LABEL = "Measured value and its interval as dot and whiskers; predicted value as a vertical line"
STRIP = 240  # width of a strip, in its own units


def claims_section(claims: tuple[Claim, ...]) -> Markup:
    """The tally, then every claim in the study's order."""
    heading = element("h2", "Claims", id="claims")
    key = element("p", KEY, class_="note") if any(_strip(claim) for claim in claims) else Markup("")
    items = [_claim(number, claim) for number, claim in enumerate(claims, 1)]
    return element("section", heading, _tally(claims), key, element("ol", *items, class_="claims"))


def _tally(claims: tuple[Claim, ...]) -> Markup:
    """How many claims hold, fail and are inconclusive: a badge for each verdict that occurs."""
    counts = {verdict: sum(claim.verdict == verdict for claim in claims) for verdict in VERDICTS}
    parts = [element("span", _badge(verdict, f"{n} {_plural(verdict, n)}")) for verdict, n in counts.items() if n]
    return element("p", *parts, class_="tally")


def _plural(verdict: str, count: int) -> str:
    return {"holds": "hold", "fails": "fail"}.get(verdict, verdict) if count != 1 else verdict


def _badge(verdict: str, text: str) -> Markup:
    shape = Markup(f'<svg viewBox="0 0 16 16" aria-hidden="true">{SHAPES[verdict]}</svg>')
    return element("span", shape, text, class_=f"badge {verdict}")


def _claim(number: int, claim: Claim) -> Markup:
    head = element("h3", _badge(claim.verdict, claim.verdict), element("span", claim.statement))
    facts = [
        _pair("Predicted", _number(claim.predicted, claim.unit)),
        _pair("Measured", _number(claim.measured, claim.unit)),
    ]
    if claim.interval is not None:
        facts.append(_pair("Interval", " to ".join(map(show, claim.interval))))
    numbers = element("dl", *facts, class_="numbers")
    words = element("dl", _pair("Rule", claim.rule), _pair("Source", claim.source), class_="words")
    return element("li", head, element("div", numbers, _strip(claim), class_="evidence"), words, id=f"claim-{number}")


def _pair(term: str, description: str) -> Markup:
    return element("div", element("dt", term), element("dd", description))


def _number(value: float | None, unit: str) -> str:
    """The number with its unit, or why there is none: a claim may predict an order or a sign, and may lack a measurement."""
    if value is None:
        return "as stated"
    if math.isnan(value):
        return "no value"
    return join([Markup(show(value)), element("span", f" {unit}", class_="unit")]) if unit else show(value)


def _strip(claim: Claim) -> Markup:
    """Interval and measurement on one line, the prediction as a tick across it; nothing where there is nothing to compare."""
    if claim.interval is None:
        return Markup("")
    known = [claim.measured, *claim.interval, *([] if claim.predicted is None else [claim.predicted])]
    low, width = min(known), max(known) - min(known)
    if not (all(map(math.isfinite, known)) and 0 < width < math.inf):
        return Markup("")
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
