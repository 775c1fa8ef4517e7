"""CRATE's layers against its formulas in NumPy, its variants, both kinds of attention, and refusals."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from twopart._checks import InputError
from twopart.learners.in_context import Crate, CrateBlock, Ista, Mssa
from twopart.learners.in_context.crate import FUSED, OUTPUTS


def normed(Z):
    """LayerNorm of columns, as it is at first."""
    return (Z - Z.mean(0)) / np.sqrt(Z.var(0) + 1e-5)


def attended(Z, module):
    """Σ over heads in the published order: columns are tokens, V = U'Z; U is the projection's transpose."""
    U = module.projection.weight.detach().numpy().T  # (d, d): heads side by side
    told = []
    for u in np.split(U, module.heads, axis=1):
        V = u.T @ Z
        told.append(V @ softmax(V.T @ V / np.sqrt(len(V)), axis=0))
    told = np.concatenate(told)
    if module.output in ("learned", "fixed"):
        bias = 0 if module.output == "fixed" else module.out.bias.detach().numpy()[:, None]
        return module.out.weight.detach().numpy() @ told + bias
    return {"tied": U @ told, "negative": -U @ told, "transpose": U.T @ told, "identity": told}[module.output]


@pytest.mark.parametrize("tokens", [5, FUSED + 1])
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_layer_is_the_published_formulas(output, tokens):
    torch.manual_seed(0)
    block = CrateBlock(12, 3, output, step=0.2, threshold=0.3).double()
    Z = np.random.default_rng(1).standard_normal((12, tokens))
    between = normed(Z + attended(normed(Z), block.attention))
    D = block.ista.dictionary.detach().numpy()
    expected = np.maximum(between + 0.2 * D.T @ (between - D @ between) - 0.2 * 0.3, 0)
    assert pytest.approx(expected, abs=1e-12) == block(torch.from_numpy(Z.T)).detach().numpy().T


def test_variants_share_their_projection_and_only_what_is_learned_is_trained():
    kinds = {output: CrateBlock(8, 2, output) for output in OUTPUTS}
    counts = {name: sum(p.numel() for p in block.parameters() if p.requires_grad) for name, block in kinds.items()}
    assert counts["learned"] - counts["tied"] == 8 * 8 + 8
    assert len({counts[name] for name in OUTPUTS if name != "learned"}) == 1
    assert kinds["tied"].attention.subspaces.shape == (2, 8, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_network_classifies_images_of_either_type_and_all_of_it_learns(dtype):
    model = Crate(8, 2, 10, 16, 2, 4, channels=3, dropout=0.1).to(dtype)
    scores = model(torch.randn(5, 3, 8, 8, dtype=dtype))
    assert (scores.shape, scores.dtype) == ((5, 10), dtype)
    scores.square().sum().backward()
    assert all(p.grad is not None and bool((p.grad != 0).any()) for p in model.parameters())


def test_patches_are_where_they_are():
    """With positions and the class token silenced, moving patches about moves nothing that the class token sees."""
    torch.manual_seed(0)
    model = Crate(4, 2, 3, 8, 1, 2).eval()
    images = torch.randn(1, 1, 4, 4)
    swapped = images.flip(2).clone()
    swapped = torch.cat([images[:, :, 2:], images[:, :, :2]], 2)
    assert not torch.allclose(model(images), model(swapped))
    with torch.no_grad():
        model.positions.zero_()
    assert torch.allclose(model(images), model(swapped), atol=1e-6)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: Mssa(8, 3),
        lambda: Mssa(8, 0),
        lambda: Mssa(8, 2, "other"),
        lambda: Mssa(8, 2, dropout=1.0),
        lambda: Ista(8, step=0.0),
        lambda: Ista(8, threshold=-0.1),
        lambda: Ista(0),
        lambda: CrateBlock(8, 2)(torch.randn(3, 7)),
        lambda: Crate(8, 3, 10, 16, 1, 2),
        lambda: Crate(8, 2, 10, 16, 0, 2),
        lambda: Crate(8, 2, 10, 16, 1, 2)(torch.randn(5, 8, 8)),
        lambda: Crate(8, 2, 10, 16, 1, 2)(torch.randn(5, 3, 8, 8)),
    ],
)
def test_bad_sizes(ask):
    with pytest.raises(InputError, match=r"must be .*, got .*; "):
        ask()
