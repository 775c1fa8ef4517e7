"""Formulas as the pages write them, in a line of Unicode, into MathML, which browsers set without any script.

    mathml("E [(1 - π_a p̃)^n]  ≈  Γ(θ+1)/Γ(θ+d)")        one line, or several under each other

What is read: `x_i`, `x_{i+1}`, `x_eff`, `k0` (subscripts), `x²`, `x^T`, `x^(1/d)`, `x^-d`, `x'`, `w*` (superscripts), `√x`,
`√(x+1)`, `<x, w>`, `|x|`, `‖x‖`, and fractions: a slash without spaces stands between all that touches it. One letter is a
variable, and so is each of two unless they are a known name; three and more are a word. Raises `UnreadableError` for all else:
the page then keeps its text.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass

SUPER, SUB = "²³⁴½", "₀₁₂₃₄₊₋"
NAMES = re.compile("CE|KL|PY|TV|an|as|at|by|if|in|is|it|ln|no|of|on|or|so|to|tr")
DIGRAPHS = {"<=": "≤", ">=": "≥", "!=": "≠", "->": "→", "<-": "←", "...": "…"}
OPERATORS = set("+-=≈~≤≥<>·×∝←→±∈≠⊕…,;:.#&‖|!∘↦⊗⊙∪∩∖∞%?") | set("*")
LARGE = {"Σ": "∑", "Π": "∏"}
CLOSING = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "|": "|", "‖": "‖"}
LETTER = re.compile(r"[^\W\d_]|[∇∂∫ℓ⊥]")
ACCENTS = {"\u0303": "~", "\u0304": "¯", "\u0302": "^", "\u0307": "˙"}
GAP = re.compile(r"(?<=[,;])\s{2,}|\s{3,}")
RELATION = re.compile(r"\s+(?=(?:=|←|≈|~|≤|<=|→)\s)")
INDEX = r"[A-Za-z0-9]+|[⊥∥∞]|[^\W\d_][\u0302\u0303\u0304]*"


class UnreadableError(ValueError):
    """What stands there is no formula in this notation."""


@dataclass
class Part:
    """An atom, an operator, a slash or a space, as MathML; `inside` is what a pair of parentheses holds."""

    kind: str
    markup: str
    inside: str = ""


def mathml(text: str) -> str:
    """A displayed formula. Lines are aligned at their first relation."""
    lines = [line for line in text.replace("**", "").splitlines() if line.strip()]
    if len(lines) == 1:
        return f'<math display="block">{_line(lines[0])}</math>'
    rows = "".join(f"<mtr>{''.join(f'<mtd>{_line(cell)}</mtd>' for cell in _cells(line))}</mtr>" for line in lines)
    return f'<math display="block"><mtable class="lines" displaystyle="true">{rows}</mtable></math>'


def _cells(line: str) -> list[str]:
    """What stands before the first relation, the rest, and remarks far to the right."""
    before, *after = RELATION.split(line.strip(), maxsplit=1)
    if not after and before[0] not in "+-=≈~":
        raise UnreadableError(f"no relation to align {line!r} at")
    return [before, *GAP.split(after[0], maxsplit=1)] if after else ["", before]


def _line(text: str) -> str:
    gap = '<mspace width="2em"/>'
    return "<mrow>" + gap.join(Reader(part).whole() for part in GAP.split(text.strip())) + "</mrow>"


class Reader:
    """Reads one formula from left to right."""

    def __init__(self, text: str, flat: bool = False) -> None:
        self.text, self.at, self.flat = unicodedata.normalize("NFD", text).replace("=\u0338", "≠"), 0, flat

    def whole(self) -> str:
        parts = self.parts("")
        if self.at < len(self.text):
            raise UnreadableError(self.text[self.at :])
        return _joined(parts, self.flat)

    def ahead(self, count: int = 1) -> str:
        return self.text[self.at : self.at + count]

    def take(self, pattern: str) -> str:
        """What matches here, passed over; empty if nothing does."""
        found = re.compile(pattern).match(self.text, self.at)
        self.at += len(found[0]) if found else 0
        return found[0] if found else ""

    def parts(self, end: str) -> list[Part]:
        """Up to the closing bracket, or to where an operand ends."""
        found: list[Part] = []
        while self.at < len(self.text) and self.ahead() != end:
            if self.ahead() in ")]}⟩" or (end == "⟩" and self.ahead() == ">"):
                break
            found.append(self.part(found))
        return found

    def part(self, before: list[Part]) -> Part:
        if self.take(r"\s+"):
            return Part("space", '<mspace width="0.22em"/>')
        if code := self.take(r"`[^`]*`"):
            return Part("atom", f"<mtext><code>{html.escape(code[1:-1])}</code></mtext>")
        if self.take("/"):
            return Part("slash", "<mo>/</mo>")
        large = LARGE.get(self.ahead()) if re.match(r".(_|\s*\S)", self.text[self.at :]) else None
        if large and self.text[self.at + 1 : self.at + 2] == "_":
            self.at += 1
            return Part("sum", self.scripts(f"<mo>{large}</mo>", ("munder", "mover", "munderover")))
        if base := self.base(before):
            return Part("atom", self.scripts(base.markup), "" if self.ahead_scripts else base.inside)
        for signs, sign in DIGRAPHS.items():
            if self.take(re.escape(signs)):
                return Part("operator", f"<mo>{html.escape(sign)}</mo>")
        if self.ahead() in OPERATORS:
            sign = self.take(".").replace("-", "−")
            return Part("operator", f"<mo>{html.escape(sign)}</mo>")
        raise UnreadableError(f"{self.ahead()!r} in {self.text!r}")

    def base(self, before: list[Part]) -> Part | None:
        """An atom before its scripts."""
        if number := self.take(r"\d+(?:,\d{3})*(?:\.\d+)?|\.\d+|½"):
            return Part("atom", f"<mn>{number}</mn>")
        if self.take("√"):
            flat, self.flat = self.flat, True
            inside = self.base([]) or self.fail()
            self.flat = flat
            return Part("atom", f"<msqrt>{inside.inside or self.scripts(inside.markup)}</msqrt>")
        if self.take(r"log2(?!\d)"):
            return Part("atom", "<msub><mi>log</mi><mn>2</mn></msub>")
        if word := self.take(r"[A-Za-z]+(?:-[A-Za-z]{3,})*"):
            return self.word(word)
        if LETTER.match(self.ahead()):
            return Part("atom", self.letter())
        return self.group(before)

    def word(self, word: str) -> Part:
        """A name, or the first letter of a product."""
        if len(word) > 2 or NAMES.fullmatch(word):
            return Part("atom", f"<mi>{word}</mi>" if len(word) > 1 else word)
        self.at -= len(word)
        return Part("atom", self.letter())

    def letter(self) -> str:
        sign, accents = self.take(r"."), self.take("[\u0302\u0303\u0304\u0307]*")
        inner = f"<mi>{sign}</mi>"
        for accent in accents:
            inner = f'<mover accent="true">{inner}<mo stretchy="false">{ACCENTS[accent]}</mo></mover>'
        return inner

    def group(self, before: list[Part]) -> Part | None:
        """What stands between brackets, bars or the angles of a product."""
        sign = self.ahead()
        tight = self.text[self.at + 1 : self.at + 2].strip() != ""
        opens = not before or before[-1].kind != "atom" or sign in "([{"
        if sign == "<" and tight and re.match(r"<[^<>=]*,[^<>=]*>", self.text[self.at :]):
            self.at += 1
            return self.closed("⟨", ">")
        if sign in "([{" or (sign in "|‖" and tight and opens and sign in self.text[self.at + 1 :]):
            self.at += 1
            return self.closed(sign, CLOSING[sign])
        return None

    def closed(self, opening: str, end: str) -> Part:
        inside = _joined(self.parts(end), self.flat)
        if not self.take(re.escape(end)):
            self.fail()
        left, right = f'<mo form="prefix">{opening}</mo>', f'<mo form="postfix">{CLOSING[opening]}</mo>'
        return Part("atom", f"<mrow>{left}{inside}{right}</mrow>", inside if opening == "(" else "")

    def scripts(self, base: str, kinds: tuple[str, str, str] = ("msub", "msup", "msubsup")) -> str:
        """The base with all that hangs on it."""
        low, high, start = "", "", self.at
        while True:
            if digits := self.take(f"[{SUB}]+|(?<=[^\\W\\d_])\\d+"):
                low += f"<mn>{unicodedata.normalize('NFKC', digits)}</mn>"
            elif powers := self.take(f"[{SUPER}]+"):
                high += f"<mn>{unicodedata.normalize('NFKC', powers)}</mn>"
            elif primes := self.take("['′]+"):
                high += f"<mo>{'′' * len(primes)}</mo>"
            elif self.take(r"\*(?=$|[\s_^,.;:)(\]/'+>|]|[-·‖])"):
                high += "<mo>∗</mo>"
            elif self.take("_"):
                low += self.script(INDEX if kinds[0] == "msub" else rf"(?:{INDEX})'*", bare=False)
            elif self.take(r"\^"):
                high += self.script(r"\d+|[^\W_]")
            else:
                break
        self.ahead_scripts = self.at > start
        kind = kinds[2] if low and high else kinds[0] if low else kinds[1]
        scripts = "".join(f"<mrow>{script}</mrow>" for script in (low, high) if script)
        return f"<{kind}>{base}{scripts}</{kind}>" if scripts else base

    def script(self, plain: str, bare: bool = True) -> str:
        """What follows `_` or `^`: braces, parentheses (`bare`: that only hold it together), or a run of letters or digits."""
        if self.take(r"\{"):
            return self.until("}")
        if self.take(r"\("):
            inside = self.until(")")
            return inside if bare else f"<mo>(</mo>{inside}<mo>)</mo>"
        if sign := self.take(r"[-+*](?!\w|\()"):
            return f"<mo>{sign.replace('-', '−')}</mo>"
        if self.take("-"):
            return "<mo>−</mo>" + self.script(plain, bare=False)
        return Reader(self.take(plain) or self.fail(), flat=True).whole()

    def until(self, end: str) -> str:
        inner = Reader("", flat=True)
        inner.text, inner.at = self.text, self.at
        parts = inner.parts(end)
        self.at = inner.at + 1
        return _joined(parts, True)

    def fail(self) -> Part:
        raise UnreadableError(f"{self.text[self.at :]!r} in {self.text!r}")


def _joined(parts: list[Part], flat: bool) -> str:
    """The parts in a row; a slash that touches both sides becomes a fraction unless `flat`."""
    row: list[Part] = []
    while parts:
        part = parts.pop(0)
        if part.kind == "slash" and not flat and row and row[-1].kind == "atom" and parts and parts[0].kind == "atom":
            above, below = _tight(row[::-1])[::-1], _tight(parts)
            del row[-len(above) :], parts[: len(below)]
            part = Part("atom", f"<mfrac>{_bare(above)}{_bare(below)}</mfrac>")
        row.append(part)
    return "".join(part.markup for part in row)


def _tight(parts: list[Part]) -> list[Part]:
    """The atoms from here on that touch each other, with what `ln` is of."""
    count = next((at for at, part in enumerate(parts) if part.kind != "atom"), len(parts))
    if parts[count - 1].markup == "<mi>ln</mi>" and len(parts) > count + 1:
        count += 2
    return parts[:count]


def _bare(parts: list[Part]) -> str:
    """The parts as one element, without the parentheses that a fraction makes needless."""
    return (
        f"<mrow>{parts[0].inside if len(parts) == 1 and parts[0].inside else ''.join(p.markup for p in parts)}</mrow>"
    )
