"""Pictures are the files of a folder, in order, and the digits are scikit-learn's."""

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.worlds.diffusion import pictures


def test_digits():
    datasets = pytest.importorskip("sklearn.datasets")
    x = pictures()
    assert (x.shape, x.dtype) == ((1797, 1, 8, 8), torch.float32)
    assert np.allclose(x[:, 0].numpy(), datasets.load_digits().images / 8 - 1)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_a_folder_of_anybodys(tmp_path, mode, channels):
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "more").mkdir()
    for name, grey in (("b.png", 255), ("a.jpg", 0), ("more/c.png", 51)):
        image.fromarray(np.full((6, 9), grey, np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("none")
    x = pictures(tmp_path, side=4, mode=mode)
    assert x.shape == (3, channels, 4, 4)
    assert torch.allclose(x.flatten(1).mean(1), torch.tensor([-1.0, 1.0, -0.6]), atol=0.02)
    (tmp_path / "d.png").write_bytes(b"none")
    with pytest.raises(InputError, match=r"`source` must be files that hold a picture, got .*d\.png"):
        pictures(tmp_path)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: pictures("nowhere"), "`source` must be 'digits', or a folder with pictures, got 'nowhere'"),
        (lambda: pictures(side=0), "`side` must be"),
        (lambda: pictures(side=16), "`side` must be 8, with mode 'L', for digits"),
        (lambda: pictures(mode="HSV"), "`mode` must be one of"),
    ],
)
def test_refusals(call, said):
    with pytest.raises(InputError, match=said):
        call()
