"""Masked tokenizers with anybody's networks, the small ones, HOG against a slow twin, reports on latents of known mixtures."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import truncnorm
from skimage.feature import hog as scikit_hog
from torch import nn

from twopart._checks import InputError
from twopart.learners.diffusion import (
    MaskedTokenizer,
    MaskRatio,
    fit,
    hog,
    latent_report,
    small_tokenizer,
    tune_decoder,
)
from twopart.worlds.targets import MixtureTarget

IMAGES = torch.randn(64, 1, 4, 4, generator=torch.Generator().manual_seed(0)) @ torch.ones(4, 4)


def plain(twice=1, **how):
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Conv2d(1, 3 * twice, 2, 2), nn.Flatten(2), nn.Linear(4, 2 * twice))
    ends = nn.Flatten(), nn.Linear(3 * twice * 2, 16), nn.Unflatten(1, (1, 4, 4))
    return MaskedTokenizer(encoder, nn.Sequential(*ends), patch=2, **how)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_anybody_s_encoder_and_decoder_learn(dtype):
    tokenizer = plain(mask=MaskRatio(0.1, 0.3)).to(dtype)
    before = tokenizer(IMAGES.to(dtype)).sub(IMAGES).square().mean().item()
    seen = []
    losses = fit(tokenizer, IMAGES, 40, rate=0.03, batch=32, on_step=lambda step, loss: seen.append((step, loss)))
    encoder = [part.clone() for part in tokenizer.encoder.parameters()]
    tune_decoder(tokenizer, IMAGES, 10, 0.3, rate=0.03)
    again = tokenizer.decode(tokenizer.encode(IMAGES.to(dtype)))
    assert [loss for _, loss in seen] == losses.tolist()
    assert again.dtype == dtype
    assert tokenizer.encode(IMAGES.to(dtype)).shape == (64, 3, 2)
    assert again.sub(IMAGES).square().mean() < 0.3 * before
    assert all(torch.equal(*pair) for pair in zip(encoder, tokenizer.encoder.parameters(), strict=True))
    assert np.array_equal(fit(plain(), IMAGES, 3, seed=1), fit(plain(), IMAGES, 3, seed=1))


def test_patches_are_hidden_with_their_image_s_probability():
    tokenizer, x = plain(), torch.ones(20_000, 1, 4, 4)
    ratios = torch.tensor([0.2, 0.7]).repeat(10_000)
    seen, hidden = tokenizer.hide(x, ratios, torch.Generator().manual_seed(0))
    pixels = hidden.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, None]
    assert torch.equal(seen, torch.where(pixels, torch.zeros(()), x)), "whole patches, by the token, which starts at 0"
    for i, r in enumerate((0.2, 0.7)):
        flat = hidden[i::2].flatten(1).double()
        assert flat.mean().item() == pytest.approx(r, abs=5 * (r * (1 - r) / 40_000) ** 0.5)
        assert flat.T.cov().tril(-1).abs().max() < 5 * r * (1 - r) / 100, "each by itself"


@pytest.mark.parametrize("variant", ["uniform", "published"])
def test_ratios_have_their_law(variant, size):
    n = size(20_000, 10**6)
    drawn = MaskRatio(0.4, 0.6, variant).draw(n, torch.Generator().manual_seed(0)).numpy()
    mean = 0.5 if variant == "uniform" else truncnorm(-0.8, 0, 0.6, 0.25).mean()
    assert drawn.mean() == pytest.approx(mean, abs=5 * 0.058 / n**0.5)
    assert 0.4 <= drawn.min() < 0.401
    assert 0.599 < drawn.max() <= 0.6
    assert MaskRatio(0.3, 0.3).draw(2).tolist() == pytest.approx([0.3, 0.3])


def test_what_the_loss_is():
    """Pixels, auxiliaries on hidden patches alone, and KL, against their formulas."""
    target, all_hidden = torch.arange(32.0).reshape(1, 4, 8).expand(64, 4, 8), torch.ones(64)
    head = nn.Sequential(nn.Flatten(), nn.Linear(6, 32), nn.Unflatten(1, (4, 8)))
    tokenizer = plain(auxiliaries={"ramp": (head, lambda x: target.numpy())})
    random = torch.Generator().manual_seed(3)
    total, again = tokenizer.loss(IMAGES, 0.5 * all_hidden, random)
    seen, hidden = tokenizer.hide(IMAGES, 0.5 * all_hidden, torch.Generator().manual_seed(3))
    off = (head(tokenizer.encode(seen)) - target).square().mean(2)[hidden.flatten(1)].mean()
    assert total.item() == pytest.approx((again - IMAGES).square().mean().item() + off.item(), rel=1e-5)
    assert tokenizer.loss(IMAGES, 0 * all_hidden)[0].item() == pytest.approx(
        (tokenizer(IMAGES) - IMAGES).square().mean().item(), rel=1e-5
    )
    several = plain(2, variational=0.1)
    several.decoder = nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.Unflatten(1, (1, 4, 4)))
    mean, log = several.encoder(IMAGES).chunk(2, 2)
    law = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, (log / 2).exp()), torch.distributions.Normal(0, 1)
    )
    total, again = several.loss(IMAGES, 0 * all_hidden)
    assert again.shape == IMAGES.shape
    assert (total - (again - IMAGES).square().mean()).item() == pytest.approx(
        0.1 * law.flatten(1).sum(1).mean().item(), rel=1e-4
    )
    assert torch.equal(several.encode(IMAGES), mean)


def test_perceptual_and_adversarial_parts_are_trained():
    critic, seen = nn.Sequential(nn.Flatten(), nn.Linear(16, 1)), []

    def distance(decoded, images):
        seen.append(decoded.shape == images.shape)
        return (decoded.mean((2, 3)) - images.mean((2, 3))).abs()

    before = critic[1].weight.clone()
    with_parts = fit(plain(), IMAGES, 3, distance, critic, batch=8)
    assert seen == [True] * 3
    assert not torch.equal(before, critic[1].weight)
    assert not np.allclose(with_parts, fit(plain(), IMAGES, 3, batch=8))


def test_small_tokenizers_and_their_auxiliaries():
    features = {"hog": partial(hog, cell=4)}
    tokenizer = small_tokenizer(8, 4, 3, 2, 16, 1, auxiliaries=features, auxiliary_depth=1, variational=1e-3)
    images = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    fit(tokenizer, images, 2, batch=4)
    assert tokenizer.encode(images).shape == (6, 3, 2)
    assert tokenizer(images).shape == images.shape
    assert tokenizer.auxiliaries["hog"](tokenizer.encode(images)).shape == (6, 4, 9)
    moved = images.clone()
    moved[:, :, 4:, 4:] += 1
    patches = small_tokenizer(8, 4, 3, 2, 16, 1)
    assert not torch.allclose(patches.encode(images), patches.encode(moved)), "latents see every patch"
    one = patches.decoder(patches.encode(images)[:1])
    assert torch.allclose(one, patches(images)[:1], atol=1e-6), "images do not see each other"
    same = small_tokenizer(8, 4, 3, 2, 16, 1)
    assert torch.equal(same.encode(images), patches.encode(images))


def slow_hog(image, cell, bins):
    """One grey image, pixel by pixel."""
    h, w = image.shape
    cells = np.zeros((h // cell, w // cell, bins))
    for i in range(h):
        for j in range(w):
            rise = image[i + 1, j] - image[i - 1, j] if 0 < i < h - 1 else 0.0
            run = image[i, j + 1] - image[i, j - 1] if 0 < j < w - 1 else 0.0
            angle = np.rad2deg(np.arctan2(rise, run)) % 180
            cells[i // cell, j // cell, int(angle // (180 / bins)) % bins] += np.hypot(rise, run) / cell**2
    flat = cells.reshape(-1, bins)
    return flat / np.sqrt((flat**2).sum(1, keepdims=True) + 1e-10)


def test_hog_is_what_its_slow_twin_says_and_scikit_image():
    images = np.random.default_rng(0).random((2, 3, 8, 12))
    one = images[:, :1] * np.array([1.0, 0.2, 0.1])[:, None, None]  # the first colour has the largest gradients
    assert hog(one, 4) == pytest.approx(np.stack([slow_hog(image[0], 4, 9) for image in one]))
    assert hog(torch.tensor(one[:, :1], dtype=torch.float32), 2, 6)[0] == pytest.approx(
        slow_hog(one[0, 0].astype(np.float32), 2, 6), abs=1e-5
    )
    how = {"orientations": 9, "pixels_per_cell": (4, 4), "cells_per_block": (1, 1), "block_norm": "L2"}
    theirs = [scikit_hog(image.transpose(1, 2, 0), channel_axis=2, **how).reshape(-1, 9) for image in images]
    assert hog(images, 4) == pytest.approx(np.stack(theirs))


def test_a_mixture_s_knee_is_at_its_modes(size):
    """Of 5 modes in 3 dimensions, stretched and turned, with classes; scikit-learn says the same; BIC picks them."""
    random = np.random.default_rng(0)
    centres = 6 * np.linalg.qr(random.standard_normal((6, 6)))[0][:5, :3] * np.sqrt(2)
    n, turn = size(1500, 10_000), random.standard_normal((3, 5))
    target = MixtureTarget(np.ones(5), centres, 0.5)
    x = target.sample(n, 1)
    z, labels = (x.numpy() @ turn).reshape(n, 1, 5), target.responsibilities(x).argmax(1).numpy()
    report = latent_report(z, labels, (1, 2, 5, 8))
    assert report.effective == 5
    assert report.components[int(report.bic.argmin())] == 5
    assert report.probe > 0.95
    assert report.intrinsic == pytest.approx(3, abs=5 * 3 / n**0.5)
    assert latent_report(torch.tensor(3 * z + 1), None, (5,)).nll == pytest.approx(report.nll[2:3], rel=1e-6)
    assert np.isnan(latent_report(z, components=(1,)).probe)
    gaussian = latent_report(random.standard_normal((n, 4)), components=(1,)).nll[0]
    assert gaussian == pytest.approx(2 * np.log(2 * np.pi * np.e), abs=5 * (2 / (n / 4)) ** 0.5 + 0.03)


def test_the_page_runs(capsys):
    page = (Path(__file__).parents[3] / "docs/laws/maetok.md").read_text()
    exec(page.split("```python\n")[1].split("```")[0], {})
    assert "LatentReport" in capsys.readouterr().out


BLANK = torch.zeros(2, 1, 4, 4)


class Pair(nn.Module):
    def forward(self, x):
        return x, x


def test_what_a_stranger_gives():
    """One ratio for all images; latents of half precision, and such that are copies of each other."""
    ones = torch.ones(200, 1, 4, 4)
    assert plain().hide(ones, 1.0)[1].all()
    assert not plain().hide(ones, 0)[1].any()
    z = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    assert np.isfinite(latent_report(z.bfloat16(), components=(1,)).nll).all()
    assert np.isnan(latent_report((z[:, :1] > 0).float(), components=(1,)).intrinsic)


@pytest.mark.parametrize(
    "call",
    [
        lambda: MaskRatio(0.6, 0.4),
        lambda: MaskRatio(0.4, 0.6, "other"),
        lambda: plain(variational=-1.0),
        lambda: MaskedTokenizer(nn.Identity(), nn.Identity(), patch=0),
        lambda: plain().encode(torch.full((2, 1, 4, 4), torch.nan)),
        lambda: plain().encode(torch.zeros(2, 1, 3, 4)),
        lambda: plain().encode(torch.zeros(2, 4, 4)),
        lambda: plain().hide(BLANK, torch.tensor([0.5, torch.nan])),
        lambda: plain().hide(BLANK, torch.ones(3)),
        lambda: MaskRatio().draw(-1),
        lambda: small_tokenizer(4, 2, colours=3).encode(BLANK),
        lambda: small_tokenizer(4, 2, colours=1, latents=3).decode(torch.zeros(2, 4, 8)),
        lambda: small_tokenizer(4, "2"),
        lambda: MaskedTokenizer(Pair(), nn.Identity()).encode(BLANK),
        lambda: fit(MaskedTokenizer(plain().encoder, Pair(), patch=2), BLANK, 1),
        lambda: latent_report(np.random.default_rng(0).random((20, 2)), np.zeros(20), (1,)),
        lambda: latent_report(torch.ones(20, 2) / 3, components=(1,)),
        lambda: MaskedTokenizer(nn.Identity(), nn.Identity()).encode(BLANK),
        lambda: fit(plain(), BLANK, 0),
        lambda: fit(plain(), BLANK, 1, rate=2.0),
        lambda: fit(plain(), BLANK, 1, batch=0),
        lambda: fit(MaskedTokenizer(plain().encoder, nn.Flatten(), patch=2), BLANK, 1),
        lambda: fit(plain(auxiliaries={"a": (nn.Identity(), lambda x: x.flatten(2))}), BLANK, 1),
        lambda: fit(plain(), 1e30 * IMAGES, 2),
        lambda: tune_decoder(plain(), BLANK, 1, 1.5),
        lambda: small_tokenizer(8, 3),
        lambda: small_tokenizer(8, 4, width=20),
        lambda: small_tokenizer(8, 4, latents=0),
        lambda: hog(np.zeros((1, 1, 5, 4)), 2),
        lambda: hog(np.full((1, 1, 4, 4), np.nan), 2),
        lambda: hog(np.zeros((1, 1, 4, 4)), 2, 0),
        lambda: latent_report(np.zeros((20, 2))),
        lambda: latent_report(np.full((20, 2), np.nan)),
        lambda: latent_report(np.random.default_rng(0).random((20, 2)), components=(9,)),
        lambda: latent_report(np.random.default_rng(0).random((20, 2)), [0, 1], (1,)),
        lambda: latent_report(np.random.default_rng(0).random((20, 2)), components=(1,), held_out=1.0),
    ],
)
def test_refusals(call):
    with pytest.raises(InputError, match=r"must be .*, got .*; "):
        call()
