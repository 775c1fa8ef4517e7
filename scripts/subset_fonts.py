"""Makes the fonts of the report anew: Inter, cut down to what figures and pages write, under a name that no machine has.

    pip install fonttools
    python scripts/subset_fonts.py FOLDER     # a folder with Inter-Regular.otf and Inter-SemiBold.otf (Debian: fonts-inter)

The name is what makes figures the same everywhere: a family that is installed in another version would be measured instead.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

FAMILY = "Twopart Sans"
HERE = Path(__file__).parents[1] / "src/twopart/report/fonts"
FACES = {"Regular": "Inter-Regular.otf", "SemiBold": "Inter-SemiBold.otf"}
RANGES = (
    *((0x20, 0x7E), (0xA0, 0x17F), (0x2C6, 0x2DC), (0x300, 0x304), (0x370, 0x3FF)),  # Latin, accents, Greek
    *((0x2010, 0x203A), (0x2070, 0x209C), (0x20AC, 0x20AC), (0x2100, 0x2126)),  # dashes and quotes, powers, letters
    *((0x2190, 0x2193), (0x2200, 0x22C5), (0x25A0, 0x25CF), (0x1D40, 0x1D40)),  # arrows, mathematics, marks, transposed
)
FEATURES = ["kern", "mark", "mkmk", "ccmp", "tnum", "lnum"]  # not calt, which would turn "->" into an arrow


def subset(source: Path, style: str) -> None:
    font = TTFont(source, recalcTimestamp=False)
    options = Options(layout_features=FEATURES, hinting=False, notdef_outline=True, name_IDs=["*"])
    cut = Subsetter(options)
    cut.populate(unicodes=[code for low, high in RANGES for code in range(low, high + 1)])
    cut.subset(font)
    names = {1: FAMILY, 2: style, 3: f"{FAMILY} {style}", 4: f"{FAMILY} {style}", 6: f"TwopartSans-{style}"}
    for record in list(font["name"].names):
        if record.nameID in names:
            record.string = names[record.nameID]
        elif record.nameID in (16, 17, 21, 22, 25):
            font["name"].names.remove(record)
    cff = font["CFF "].cff
    cff.fontNames = [names[6]]
    cff[0].FamilyName, cff[0].FullName = FAMILY, names[4]
    font.save(HERE / f"TwopartSans-{style}.otf")


if __name__ == "__main__":
    for style, name in FACES.items():
        subset(Path(sys.argv[1]) / name, style)
