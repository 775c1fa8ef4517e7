"""The font that comes with the package, so that figures are laid out the same on every machine.

Pictures and the page's figures are laid out by the width of their text. Twopart Sans is Inter under a name of its own: a
family that a machine has in another version could be measured instead.
"""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path

import vl_convert

FOLDER = Path(__file__).parent / "fonts"
FACES = {400: "TwopartSans-Regular.otf", 600: "TwopartSans-SemiBold.otf"}  # by weight


@cache
def register() -> None:
    """Make the font known to the library that draws pictures, once in a process."""
    vl_convert.register_font_directory(str(FOLDER))


def font_faces() -> str:
    """The font as CSS with its data inside, for a page that fetches nothing."""
    return "".join(
        f"@font-face{{font-family:'Twopart Sans';font-weight:{weight};"
        f"src:url(data:font/otf;base64,{base64.b64encode((FOLDER / name).read_bytes()).decode()})}}\n"
        for weight, name in FACES.items()
    )
