"""Pages and docstrings as they are written, made fit for a site: formulas, scripts, figures in two colour schemes.

    prepared(text)      displayed formulas as MathML; in prose `x_i` and `x^2` as sub- and superscripts, <x, w> as a product
    figured(text)       every SVG picture beside its dark twin, each a link to the file

Markdown stays readable on its own; nothing here has to be written for the site. A block that is indented is a formula unless it
looks like code, and whatever `formulas` cannot read stays the text that it is.
"""

from __future__ import annotations

import re

from scripts.site.formulas import UnreadableError, mathml

FENCES = re.compile(r"(^( *)```.*?^\2```[^\n]*\n)", re.M | re.S)
INDENTED = re.compile(r"(?<=\n\n)((?: {4,}\S[^\n]*\n)+)(?=\s*(?:\n|\Z))")
CODE = re.compile(r'"|# |->|\btp\.|^ *(twopart|tar|zcat|import|from|pip) |\w\.\w+\(|^ *\w+ = \w+\.\w+', re.M)
SIGN = re.compile("[=←≈~≤≥<∝Σ√^]")
VERBATIM = re.compile(r"(`[^`]*`|\]\([^)]*\)|https?://\S+|<(?:span|div|a|/)[^>]*>|<math.*?</math>)", re.S)
PRODUCT = re.compile(r"<([^<>=\n]*\S,[^<>=\n]*)>")
BASE = r"(?<![A-Za-z0-9_.\\])((?:[^\W\d_]|log|max|min|base|unknown)[\u0302\u0303\u0304]?(?:['′]|\\\*)?)"
LOW = re.compile(BASE + r"_(\{[^{}]+\}|[A-Za-z0-9]+|[⊥∥∞]|[^\W\d_])")
HIGH = re.compile(r"(?<=[^\W_]|[)\]}|‖>])\^(\{[^{}]*\}|\([^()]*\)|-?\([^()]*\)|-?\w+)")
STAR = re.compile(r"((?<![\w*\\])\*{1,2}(?=[^\s*])[^\n]*?(?<=[^\s*])\*{1,2}(?![\w*]))|(?<=[^\W_])\*(?!\*|[^\W_²³])")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\.svg\)")


def prepared(text: str) -> str:
    """Markdown with its formulas set; fenced code, code spans and links stay as they are."""
    parts = FENCES.split(text)
    return "".join(_prose(part) if at % 3 == 0 else part for at, part in enumerate(parts) if at % 3 != 2)


def figured(text: str) -> str:
    """Markdown whose pictures follow the reader's colour scheme."""
    both = r"[![\1](\2.svg#only-light){loading=lazy}![\1](\2.dark.svg#only-dark){loading=lazy}](\2.svg){.figure}"
    return PICTURE.sub(both, text)


def _prose(text: str) -> str:
    return "".join(_block(part) if at % 2 else _running(part) for at, part in enumerate(INDENTED.split(text)))


def _block(block: str) -> str:
    """An indented block: a displayed formula, or code as it is."""
    indent = len(block) - len(block.lstrip(" "))
    if CODE.search(block) or not SIGN.search(block):
        return block
    try:
        markup = mathml(block)
    except UnreadableError:
        return block
    return f'{" " * (indent - 4)}<span class="formula">{markup.replace("_", "&#95;")}</span>\n'


def _running(text: str) -> str:
    return "".join(part if at % 2 else _inline(part) for at, part in enumerate(VERBATIM.split(text)))


def _inline(text: str) -> str:
    text = PRODUCT.sub(r"⟨\1⟩", text)
    text = STAR.sub(lambda match: match[1] or r"\*", text)
    text = LOW.sub(lambda match: f"{match[1]}<sub>{match[2].strip('{}')}</sub>", text)
    return HIGH.sub(lambda match: f"<sup>{_bare(match[1])}</sup>", text)


def _bare(script: str) -> str:
    return script[1:-1] if script[0] in "({" else script.replace("-", "−", 1)
