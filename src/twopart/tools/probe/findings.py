"""What was found, for a report: a summary, claims with their verdicts, tables and figures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from twopart.evidence import Estimate
from twopart.findings import Chart, Findings, Table
from twopart.fits.calibration import Calibration
from twopart.report import Axis, Kind
from twopart.report.figures import Declared, Drawn, Figure
from twopart.tools.probe.analysis import Studied, calibration, estimate, rising
from twopart.tools.probe.claims import claims
from twopart.tools.probe.compare import Compared
from twopart.tools.probe.probing import Probed

LARGE = 60  # points of a smooth curve
MOST_WRONG = 12


def findings(probed: Probed) -> Findings:
    """What `probed` says, for a report."""
    return Findings(
        title=f"Probed: what {probed.model} knows of {probed.name}",
        summary="\n\n".join(summary(probed)),
        claims=tuple(claims(probed.studied, probed.compared)),
        tables=tuple(_tables(probed)),
        charts=tuple(_charts(probed)),
    )


def summary(probed: Probed) -> Iterator[str]:
    """What was asked; by template what is known, where the threshold is, and what raw accuracy would have said."""
    facts, first = probed.studied[0].asking.facts, probed.studied[0].asking
    left = f" {facts.left_out} whose subject has the answer in it were left out." if facts.left_out else ""
    yield (
        f"{len(facts):,} facts, {len(facts.candidates)} candidates, {len(first.twin_of):,} invented subjects, "
        f"{_count(len(probed.studied), 'template')}; of {facts.weight.sum():,.0f} facts in the population.{left}"
    )
    for t in probed.studied:
        yield f"{t} ({t.asking.template!r}): {' '.join(_said(t))}"
    if probed.mean is not None:
        yield f"The mean of the templates' probabilities, not judged: {' '.join(_said(probed.mean))}"
    for pair in probed.compared:
        right, after = pair.before.rows.right, pair.after
        gained = float(((1 - right) * after.rows.right).sum() / max((1 - right).sum(), 1))
        yield (
            f"{pair}: {after.values['right']:.1%} right after {pair.before.values['right']:.1%}; of what was known "
            f"{_told(pair.lost_share, '.0%')} is lost, of what was wrong {gained:.1%} gained. Somers' D of lost on doubt, the "
            f"first model's own: {_told(pair.surest, '.2f')}.{_thresholds(pair)}"
        )


def _thresholds(pair: Compared) -> str:
    """Of both models, each with its own guess rates and anchor."""
    if "threshold" not in pair.before.values:
        return ""
    before, after = (
        _told(t.estimate("threshold").times(math.log(10)).exp(), ",.3g") for t in (pair.before, pair.after)
    )
    anchor = "" if not pair.after.learned.why else f" Guess rates after are not anchored: {pair.after.learned.why}."
    return f" Half are known at a frequency of {before} before and {after} after.{anchor}"


def _said(t: Studied) -> Iterator[str]:
    v, parameters = t.values, t.asking.parameters
    mass = float(np.median(t.asking.mass))
    yield (
        f"{v['right']:.1%} right, {v['twins']:.1%} of the twins; {_told(t.estimate('known'), '.1%')} known, guessing taken "
        f"out. Candidates have {mass:.2f} of the probability (median)."
    )
    if t.learned.why:
        yield f"Guess rates are not anchored: {t.learned.why}."
    else:
        yield f"Guess rates are anchored in the rarest fifth (δ = {v['shift']:+.2f} logits)."
    if t.learned.curve is not None:
        place, price = (t.estimate(name).times(math.log(10)).exp() for name in ("threshold", "price"))
        width, tail = _told(t.estimate("log width").exp(), ".2f"), _told(t.estimate("tail"), ".2f")
        yield (
            f"Half are known at a frequency of {_told(place, ',.3g')}, width {width} decades (90 % over 10 %: "
            f"{t.learned.curve.ninety_ten:,.3g}{_exposures(t)}; the capacity law has 1). If that is the proxy's error, the "
            f"price is at {_told(price, ',.3g')}, by a tail of frequencies of {tail} (Hill). "
            f"Raw accuracy is one half at {_raw_crossing(t)}."
        )
    if "own width" in v:
        bend = t.estimate("bend")
        bent = "" if bend.ends[0] <= 0 <= bend.ends[1] else ": not linear, as this supposes"
        yield (
            f"By both proxies the learner's own width is {_told(t.estimate('own width'), '.2f')} decades; the second bends by "
            f"{_told(bend, '.2f')} x² over the first{bent}."
        )
    stored = v["stored bits"]
    per = f", {stored / parameters:.1e} per parameter" if parameters else ""
    yield f"At least {max(v['known facts'], 0):,.0f} facts and {max(stored, 0):,.0f} bits of the population are stored{per}."
    error, edge = calibration(t.asking, t.rows.index)
    yield (
        f"Confidence {v['confidence']:.2f} for {v['right']:.2f} right, calibration error {error:.3f} (chance alone: below "
        f"{edge:.3f}), log score {v['log score']:.2f}; risk at the known share {_told(t.estimate('risk'), '.3f')}."
    )


def _exposures(t: Studied) -> str:
    """The width read as exposures that a fact needs, and how much less likely that is than the probit."""
    needed = t.forms["exposures"]
    less = t.forms["probit"].log_likelihood - needed.log_likelihood
    return f"; as T = {needed.width:.2f} exposures {needed.ninety_ten:,.3g}, {less:.1f} nats less likely"


def _raw_crossing(t: Studied) -> str:
    from twopart.fits import crossing

    found = crossing(t.asking.facts.frequency, t.asking.right)  # type: ignore[arg-type]
    return f"{found:,.3g}" if math.isfinite(found) else "no frequency"


def _told(found: Estimate, form: str) -> str:
    low, high = found.ends
    ends = f" ({low:{form}} to {high:{form}})" if math.isfinite(low + high) else ""
    return f"{found.value:{form}}{ends}"


def _tables(probed: Probed) -> Iterator[Table]:
    yield Table("strata", "By frequency", _labelled((str(t), t.strata) for t in probed.rows), STRATA_CAPTION)
    labelled = [*((str(t), t) for t in probed.rows), *((str(pair), pair.after) for pair in probed.compared)]
    numbers = [
        {"template": label, "number": name, "value": t.values[name], "low": e.ends[0], "high": e.ends[1]}
        for label, t in labelled
        for name in t.values
        for e in (t.estimate(name),)
    ]
    yield Table("numbers", "All numbers, with intervals over subjects", pl.DataFrame(numbers), NUMBERS_CAPTION)
    if forms := [(str(t), _forms(t)) for t in probed.rows if t.forms]:
        yield Table("forms", "Forms of the curve", _labelled(iter(forms)), FORMS_CAPTION)
    yield Table(
        "wrong",
        "Where wrong answers fall",
        _labelled((str(t), wrong_answers(t)) for t in probed.studied),
        WRONG_CAPTION,
    )
    yield Table("facts", "Every fact", _labelled((str(t), _facts(t)) for t in probed.studied), FACTS_CAPTION, csv=True)
    if probed.compared:
        frames = ((str(p), p.strata) for p in probed.compared)
        yield Table(
            "lost", "Lost and gained, by frequency", _labelled(frames), "Of facts right before and wrong before."
        )


STRATA_CAPTION = (
    "Fifths by frequency (their medians). Twins: invented subjects of the same groups. Hard: facts with g below 0.2, "
    "right only if known. Known: (right - g)/(1 - g) on average, g the guess rate, anchored where the text says so; low and "
    "high, its 95 % interval. Bits of the true answer: style, what the twins are given over what all subjects are; fact, what "
    "the subject is given over its twins. Mass: median probability of all candidates together."
)
NUMBERS_CAPTION = (
    "threshold, price and width in decades of frequency; shift in logits; others over hard, log10 of thresholds."
)
FORMS_CAPTION = (
    "Threshold in decades; width: deviation in decades of the probit, T of exposures; 90/10: the frequency at which 90 % are "
    "known over that at which 10 % are; lapse: share of answers, on both sides, that are as if on the other; nats."
)
WRONG_CAPTION = "Shares of wrong answers about facts, and of wrong answers about invented subjects."
FACTS_CAPTION = (
    "P: of the candidates' probability. Slack: total variation that the scoring may be off by. g: guess rate."
)


def _forms(t: Studied) -> pl.DataFrame:
    return pl.DataFrame([
        {"form": form, "threshold": c.threshold, "width": c.width, "90/10": c.ninety_ten, "lapse": c.lapse,
         "log likelihood": c.log_likelihood} for form, c in t.forms.items()
    ])  # fmt: skip


def wrong_answers(t: Studied) -> pl.DataFrame:
    """The most frequent wrong answers."""
    asking, facts = t.asking, t.asking.facts
    twin = asking.twin_share.argmax(1) if len(asking.twin_of) else np.zeros(0, np.int64)
    C = len(facts.candidates)
    real = np.bincount(asking.guess[asking.right < 1], minlength=C)
    false = np.bincount(twin[twin != facts.answer[asking.twin_of]], minlength=C)
    top = np.argsort(-real, kind="stable")[:MOST_WRONG]
    return pl.DataFrame(
        {
            "answer": [facts.names[i] for i in top],
            "wrong answers": real[top],
            "share": real[top] / max(real.sum(), 1),
            "share about twins": false[top] / max(false.sum(), 1),
        }
    ).filter(pl.col("wrong answers") > 0)


def _facts(t: Studied) -> pl.DataFrame:
    asking, facts = t.asking, t.asking.facts
    names = np.array(facts.names)
    columns = {
        "subject": facts.subject, "answer": names[facts.answer], "frequency": facts.frequency, "guess": names[asking.guess],
        "P(answer)": asking.share[np.arange(len(facts)), facts.answer], "P(guess)": asking.share.max(1),
        "mass": asking.mass, "slack": asking.slack, "g": t.learned.rate(t.rows.index),
    }  # fmt: skip
    frame = pl.DataFrame({name: values for name, values in columns.items() if values is not None})
    return frame.with_columns(pl.col(pl.Float64).round_sig_figs(5))


def _labelled(frames: Iterator[tuple[str, pl.DataFrame]]) -> pl.DataFrame:
    return pl.concat(
        [f.select(pl.lit(label).alias("template"), pl.all()) for label, f in frames], how="diagonal_relaxed"
    )


def _charts(probed: Probed) -> Iterator[Chart]:
    tables = {name: pl.concat(frames, how="diagonal_relaxed") for name, frames in _drawn(probed).items() if frames}
    for figure in FIGURES:
        if (chart := figure.draw(tables)) is not None:
            yield chart


def _drawn(probed: Probed) -> dict[str, list[pl.DataFrame]]:
    """What the figures draw, by table."""
    out: dict[str, list[pl.DataFrame]] = {
        "known": [],
        "bits": [],
        "reliability": [],
        "risk": [],
        "lost": [],
        "wrong": [],
    }
    for t in probed.studied:
        if t.learned.curve is not None:
            out["known"] += _known(t)
            for kind in ("style bits", "fact bits"):
                out["bits"].append(_points(t, kind, t.strata["frequency"], t.strata[kind]))
        if len(t.asking.twin_of):
            wrong = wrong_answers(t)
            for kind, column in (("facts", "share"), ("invented subjects", "share about twins")):
                out["wrong"].append(
                    wrong.select(
                        pl.lit(str(t)).alias("template"),
                        pl.lit(kind).alias("about"),
                        "answer",
                        pl.col(column).alias("share"),
                    )
                )
        top, N = t.asking.share.max(1), len(t.asking.facts)
        calibration = Calibration(top, t.asking.right, np.full(N, 1 / N))
        bins = calibration.reliability
        out["reliability"] += [
            _points(t, "answers", bins["confidence"], bins["right"]),
            _points(t, "calibrated", [0, 1], [0, 1]),
        ]
        share = np.linspace(0.02, 1, LARGE)
        known = float(np.clip(t.values["known"], 0, 1))
        stranger = (1 - t.values["right"]) / max(1 - known, 1e-9)
        law = np.maximum(share - known, 0) / share * min(stranger, 1.0)
        out["risk"] += [
            _points(t, "answers", share, calibration.risk(share)),
            _points(t, "law: known first", share, law),
        ]
    for pair in probed.compared:
        name = f"lost by {pair.after.asking.model}"
        out["lost"].append(_points(pair.before, name, pair.strata["frequency"], pair.strata["lost, of those right"]))
    return out


def _known(t: Studied) -> Iterator[pl.DataFrame]:
    strata, x = t.strata, t.rows.x
    assert x is not None and t.learned.curve is not None  # noqa: PT018
    grid = np.linspace(x.min(), x.max(), LARGE)
    yield _points(t, "curve of two numbers", 10**grid, t.learned.curve.known(grid))
    yield _points(t, "step", 10**grid, t.forms["step with lapses"].known(grid))
    drawn = np.array([rising(rows, grid) for rows in t.resampled])
    found = [estimate(*pair, len(t.asking.facts)) for pair in zip(rising(t.rows, grid), drawn.T, strict=True)]
    low, high = np.clip([e.ends for e in found], 0, 1).T
    yield _points(t, "any rising function", 10**grid, [e.value for e in found]).with_columns(low=low, high=high)
    guess = t.learned.rate(t.rows.index)
    rates = [guess[t.rows.stratum == s].mean() for s in np.unique(t.rows.stratum)]
    yield _points(t, "guess rate", strata["frequency"], rates)
    for name, column in (("right, raw", "right"), ("twins right", "twins right")):
        yield _points(t, name, strata["frequency"], strata[column])


def _points(t: Studied, series: str, x: object, y: object) -> pl.DataFrame:
    columns = {"x": np.asarray(x, float), "y": np.asarray(y, float)}
    return pl.DataFrame(columns).select(pl.lit(str(t)).alias("template"), pl.lit(series).alias("series"), pl.all())


FREQUENCY, SHARE = Axis("x", "frequency, or its proxy"), Axis("y", "share of facts", log=False, domain=(0, 1))
KNOWN_KINDS: dict[object, Kind] = {
    "curve of two numbers": "theory",
    "step": "asymptote",
    "any rising function": "learner",
    "right, raw": "simulation",
    "guess rate": "simulation",
    "twins right": "simulation",
}
RATE = Axis("x", "confidence", log=False, domain=(0, 1))


def _figure(name: str, title: str, x: Axis, y: Axis, kinds: dict[object, Kind] | Kind, caption: str) -> Figure:
    """A panel for each template."""
    return Figure(name, title, name, x, y, kinds, columns="template", caption=caption)


def draw_wrong(frame: pl.DataFrame) -> dict[str, Any]:
    """Bars of the most frequent wrong answers, about facts and about invented subjects, a panel for each template."""
    from twopart.report import theme
    from twopart.report.charts import SCHEMA, finish

    kinds = frame["about"].unique(maintain_order=True).to_list()
    colours = {"domain": kinds, "range": [colour.light for colour in theme.PALETTE.values()][: len(kinds)]}
    encoding = {
        "x": {"field": "share", "type": "quantitative", "title": "share of wrong answers"},
        "y": {"field": "answer", "type": "nominal", "sort": None, "title": None},
        "yOffset": {"field": "about", "type": "nominal", "sort": kinds},
        "color": {"field": "about", "type": "nominal", "scale": colours, "title": "about"},
    }
    panel = {"width": 240, "height": 280, "mark": "bar", "encoding": encoding}
    panels = [
        {"title": template, "data": {"values": part.to_dicts()}, **panel}
        for (template,), part in frame.group_by("template", maintain_order=True)
    ]
    words = "Shares of wrong answers about facts and about invented subjects"
    return finish({"$schema": SCHEMA, "hconcat": panels}, description=words)


FIGURES: tuple[Declared, ...] = (
    _figure(
        "known",
        "Known, right and guessed, by frequency",
        FREQUENCY,
        SHARE,
        KNOWN_KINDS,
        "Raw accuracy counts what the look of a name gives away; the known share, with two numbers or without a form (band: 95 "
        "% over subjects), does not. The step has a lapse rate. Guess rates are the twins', anchored where the text says so.",
    ),
    _figure(
        "risk",
        "Risk against coverage",
        Axis("x", "share of questions answered, the surest first", log=False, domain=(0, 1)),
        Axis("y", "share wrong of those answered", log=False, domain=(0, 1)),
        {"law: known first": "theory", "answers": "learner"},
        "The law answers what is known without error, and the rest as about strangers.",
    ),
    _figure(
        "reliability",
        "Confidence and accuracy",
        RATE,
        Axis("y", "share right", log=False, domain=(0, 1)),
        {"calibrated": "theory", "answers": "learner"},
        "Answers in bins of confidence.",
    ),
    Drawn(
        "wrong",
        "Where wrong answers fall",
        "wrong",
        draw_wrong,
        "By the law, what is not known is answered as about a stranger: bars of a pair are as long.",
    ),
    _figure(
        "bits",
        "Bits of the true answer",
        FREQUENCY,
        Axis("y", "bits a fact", log=False),
        "simulation",
        "From the look of the name, and from the fact itself; not clipped at 0, where noise would look like storage.",
    ),
    _figure(
        "lost",
        "Lost, by frequency",
        FREQUENCY,
        Axis("y", "share of those right before", log=False, domain=(0, 1)),
        "learner",
        "The law loses the rarest first.",
    ),
)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
