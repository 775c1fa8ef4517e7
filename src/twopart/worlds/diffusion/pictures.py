"""Pictures as points: the digits of scikit-learn, or anybody's folder of image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from twopart._checks import check, check_choice, check_integer
from twopart.worlds._libraries import library

KINDS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}


def pictures(source: str | Path = "digits", *, side: int = 8, mode: str = "L") -> Tensor:
    """Pixels in [-1, 1], shape (n, channels, side, side), float32, in the order of the files' names, subfolders too.

    `source`: "digits" (1,797 of 8 x 8) or a folder, whose files are cut to their middle square and scaled to `side` pixels.
    `mode` is "L", grey, or "RGB". Raises `InputError` for folders without pictures and files that cannot be read.
    """
    check_integer("side", side, 1, None, "8 to 32 suit small networks")
    check_choice("mode", mode, ("L", "RGB"))
    if str(source) == "digits":
        check(side == 8 and mode == "L", "side", (side, mode), "8, with mode 'L', for digits", "leave both out")
        return torch.from_numpy(library("sklearn.datasets", "the digits").load_digits().images[:, None] / 8 - 1).float()
    names = sorted(path for path in Path(source).rglob("*") if path.suffix.lower() in KINDS)
    check(
        len(names) > 0,
        "source",
        str(source),
        "'digits', or a folder with pictures",
        f"{', '.join(sorted(KINDS))} are read",
    )
    tools, found = library("PIL.ImageOps", "pictures"), []
    for path in names:
        try:
            with library("PIL.Image", "pictures").open(path) as image:
                found.append(np.asarray(tools.fit(image.convert(mode), (side, side))))
        except OSError as error:
            check(False, "source", str(path), "files that hold a picture", f"drop it: {error}")
    return torch.from_numpy(np.stack(found)).reshape(len(found), side, side, -1).permute(0, 3, 1, 2) / 127.5 - 1
