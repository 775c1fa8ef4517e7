"""Quantities: one table of factors and of what is counted, and how a phrase such as `10^6 tokens` or `PFLOP-days` is read.

The same grammar reads a bracket of a header, words of a header and what follows the number in a cell. A phrase that is not
understood is no unit, and says why: no factor is ever guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from twopart.tools.fit.sheet import spelled

COUNTS = {
    1e3: "k thousand thousands thsd tsd tausend milliers kilo",
    1e6: "m mm million millions millionen mio mn mln mil mill mega",
    1e9: "b g bn bln bil billion billions giga mrd milliard milliards milliarden md mds",
    1e12: "t tn trn tln trillion trillions tera",
    1e15: "p quadrillion quadrillions peta",
    1e18: "e quintillion quintillions exa",
    1e21: "z zetta",
    1e24: "y yotta",
}
FACTORS = {word: factor for factor, spellings in COUNTS.items() for word in spellings.split()}
OWN = {
    "params": spelled("param params parameter parameters parametres paramètres weight weights"),
    "tokens": spelled("token tokens tok toks"),
    "unique_tokens": spelled("token tokens tok toks"),
    "flops": spelled("flop flops op ops operation operations f"),
    "bits": spelled("bit bits"),
    "loss": spelled(""),
    "batch": spelled("token tokens toks sequence sequences seqs sample samples example examples sentence sentences"),
    "steps": spelled("step steps update updates iteration iterations"),
}
"""What a column counts, which changes no number."""
FILLERS = spelled("in of the per x units unit number count a each floating point")
QUALIFIERS = spelled(
    "total all active dense embedding embeddings emb non nonembedding excl excluding incl including with without wo no train "
    "training trained seen unique distinct val validation test eval model size data dataset est estimated approx final n c l "
    "run raw exact"
)
"""What may be said in a header beside the unit."""
SECONDS = {"second": 1.0, "sec": 1.0, "minute": 60.0, "min": 60.0, "hour": 3600.0, "hr": 3600.0, "h": 3600.0}
SECONDS |= {"day": 86400.0, "d": 86400.0, "week": 604800.0, "year": 31557600.0}
TIMES = frozenset(word + end for word in SECONDS for end in ("", "s") if word != "d") | {"month", "months", "s"}
LOGS = {"log10": 10.0, "lg": 10.0, "ln": 2.718281828459045, "loge": 2.718281828459045, "log2": 2.0, "lb": 2.0}
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789")
KNOWN = "K, M, B, T, kilo to yotta, Mio, bn, Mrd, million, 10^6, 1e9 or log10"

_SPEED = re.compile(rf"({'|'.join(sorted(FACTORS, key=len, reverse=True))})?(?:flops?|f)(?:s|ps|per|persecond|second)?")
_WORK = re.compile(rf"{_SPEED.pattern}({'|'.join(sorted(SECONDS, key=len, reverse=True))})s?")
_PIECE = re.compile(
    r"log(?:10|2|e)|10\^\{?\+?\d+\}?|\d*\.?\d*e\+?\d+(?![a-z])|\d[\d,']*s?(?![a-z])|[^\W\d_]+|[^\w\s]|_"
)


class UnitError(ValueError):
    """A phrase that is not understood as a unit; its text says why."""

    def __init__(self, why: str, wrong: bool = False) -> None:
        super().__init__(why)
        self.wrong = wrong
        """Whether it is a unit of something else, so that no other spelling helps."""


@dataclass(frozen=True)
class Unit:
    """What the numbers of a column are multiplied by, or of what they are the logarithm."""

    text: str
    """As written."""
    factor: float = 1.0
    base: float | None = None
    """Of the logarithm that the numbers are, if they are one."""
    counted: bool = False
    """Whether it says what is counted, as Mtokens does and M does not."""

    @property
    def plain(self) -> bool:
        """Whether it changes no number."""
        return self.factor == 1 and self.base is None

    @property
    def words(self) -> str:
        return f"times {self.factor:.3g}" if self.base is None else f"{self.base:.3g} to that power"


def log_base(word: str) -> float | None:
    """10 for `log10`; an error for a logarithm of which nobody says the base."""
    if word == "log":
        raise UnitError("a logarithm of which base? write log10, ln or log2")
    return LOGS.get(word)


def unit(phrase: str, role: str) -> Unit:
    """The unit that a phrase names for the numbers of a role; `UnitError` if it does not."""
    text = _normal(phrase)
    if role == "flops" and (worked := _work(text)) is not None:
        return Unit(phrase.strip(), worked, counted=True)
    counted = False
    factors: list[float] = []
    bases: list[float] = []
    for piece in _PIECE.findall(text):
        if (base := log_base(piece)) is not None:
            bases.append(base)
        elif (factor := _factor(piece, role)) is not None:
            factors.append(factor)
        counted |= any(piece.endswith(own) for own in OWN[role])
    factors = [factor for factor in factors if factor != 1]
    if len(factors) + len(bases) > 1:
        raise UnitError("it names two factors; write one")
    return Unit(phrase.strip(), factors[0] if factors else 1.0, bases[0] if bases else None, counted)


def _normal(phrase: str) -> str:
    """Lower case; superscripts, `**` and 10 to the power of one kind."""
    text = re.sub(r"(?<=10)([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", r"^\1", phrase).translate(SUPERSCRIPTS).lower().replace("’", "'")
    text = re.sub(r"\b10\s*(?:\*\*|\^)\s*", "10^", text)
    text = re.sub(r"\blog[\s_]*(10|2|e)\b", r"log\1", text)
    return re.sub(r"(?<![\d,])'?000s?\b|\b1,?000s\b", "1000", text)


def _work(text: str) -> float | None:
    """Operations of a speed held for a time, as in PFLOP/s-days; an error for a speed or a time alone."""
    letters = re.sub(r"[^a-z]", "", text)
    if done := _WORK.fullmatch(letters):
        return FACTORS.get(done[1], 1.0) * SECONDS[done[2]]
    if re.search(r"flops?\s*(?:/\s*s\b|per\s*s(?:ec(?:ond)?)?\b)|flops?ps\b", text):
        raise UnitError("a rate is no amount of compute; multiply by the seconds", wrong=True)
    if TIMES & set(re.findall(r"[a-z]+", text)):
        raise UnitError(
            "the time of devices is no number of operations; multiply by what they did per second", wrong=True
        )
    return None


def _factor(piece: str, role: str) -> float | None:
    """What a piece of a phrase multiplies by; None for punctuation; an error if it is not known."""
    if piece.startswith("10^"):
        piece = f"1e{piece[3:].strip('{}+')}"
    if piece[0].isdigit() or re.fullmatch(r"e\+?\d+", piece):
        return _power_of_ten(piece)
    if piece in FACTORS:
        return FACTORS[piece]
    if piece in OWN[role] or piece in FILLERS or piece in QUALIFIERS or piece in ".,;:-–/^()[]{}*×·÷_'\"":
        return None
    for own in OWN[role]:  # GFLOP, Mparams
        if piece.endswith(own) and piece[: -len(own)] in FACTORS:
            return FACTORS[piece[: -len(own)]]
    raise UnitError(f"{piece!r} is not known; known are {KNOWN}")


def _power_of_ten(piece: str) -> float:
    """1e6, e6, 1,000,000."""
    number = float(("1" if piece[0] == "e" else "") + piece.rstrip("s").replace(",", "").replace("'", ""))
    if not re.match(r"1\.0+e", f"{number:.16e}") or not (number == 1 or 1e3 <= number <= 1e30):
        raise UnitError(f"{piece!r} is no power of ten; known are {KNOWN}")
    return number


# Losses: the unit does not scale the numbers but says what they are.

LOSSES = {
    "nats": r"\bnats?\b|\bbase[\s-]*e\b|\bnatural\b",
    "bpb": r"\bbpb\b|\bbits?[\s_/-]*(?:per|/)?[\s_/-]*bytes?\b",
    "bits": r"\bbits?\b|\bbase[\s-]*2\b",
    "ppl": r"\bppl\b|\bperplexity\b|\bperplexities\b",
}
"""By unit, how it is written; the first that is found counts."""
STRANGE = (
    r"\bbp[cw]\b|\bbits?[\s_/-]*(?:per|/)?[\s_/-]*(?:char|character|letter|word|dim)\w*|\bdits?\b|\bhartleys?\b|\bbans?\b"
    r"|%|\bmilli|\b[kmµ](?:nat|bit)s?\b|\b(?:log|ln|lg)\b|\blog\d|\d\s*\^|\b\d+\.?\d*e[+-]?\d+\b|[x×*/]\s*10+\b"
)
"""Units of a loss that are none of these: never passed over."""


def loss_unit(phrase: str) -> str | None:
    """The unit of a loss that a name or a cell tells; None if it tells none."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", phrase).lower().replace("_", " ")
    if odd := re.search(STRANGE, text):
        raise UnitError(f"{odd[0]!r} is not known for a loss; known are nats, bits, ppl and bpb")
    return next((name for name, pattern in LOSSES.items() if re.search(pattern, text)), None)


def without_loss_unit(name: str) -> str:
    """A name without the words that tell its unit."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ")
    pattern = "|".join((*LOSSES.values(), r"\b(?:in|per|/)\s*tokens?\b", r"/\s*tok(?:en)?\b"))
    return re.sub(pattern, " ", text, flags=re.IGNORECASE)
