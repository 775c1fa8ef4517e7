"""Masked autoencoders as tokenizers of images: anybody's encoder and decoder, small transformers, what latents are like.

    tokenizer = small_tokenizer(32, patch=4, latents=16, channels=8, auxiliaries={"hog": partial(hog, cell=4)})
    fit(tokenizer, images, steps=2000)             # images (n, 3, 32, 32), parts of them hidden; then `tune_decoder`
    z = tokenizer.encode(images)                   # (n, 16, 8): what a diffusion model learns; `decode` takes it back

Source: Chen, Han et al. 2025 (MAETok), arXiv 2502.03444. Positions are learned here, where the paper rotates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional

from twopart import _random
from twopart._arrays import Floats, finite, finite_tensor
from twopart._checks import check, check_integer, check_real, check_sizes
from twopart.learners.schedules import Cosine
from twopart.settings import between, no_less_than, one_of, settings
from twopart.worlds._libraries import library

Features = Callable[[Tensor], Any]  # from images to a tensor or array (n, N, F), a row for each patch, row by row


@settings
class MaskRatio:
    """Which share of patches is hidden, image by image: even in [low, high], or as the authors' code draws it.

    "published" is a normal at 0.6 of deviation 0.25 cut to [low, high], so that more is hidden than by even draws.
    """

    low: Annotated[float, between(0, 1), "The least."] = 0.4
    high: Annotated[float, between(0, 1), no_less_than("low"), "The most."] = 0.6
    variant: Annotated[str, one_of("uniform", "published"), "The law."] = "uniform"

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Shape (count,), float64."""
        check_sizes(count=count)
        u, ends = torch.rand(count, generator=generator, dtype=torch.float64), torch.tensor([self.low, self.high])
        if self.variant == "uniform":
            return ends[0] + u * (ends[1] - ends[0])
        low, high = torch.special.ndtr((ends.double() - 0.6) / 0.25)
        return torch.clamp(0.6 + 0.25 * torch.special.ndtri(low + u * (high - low)), self.low, self.high)


class MaskedTokenizer(nn.Module):
    """`encoder` from images (n, c, h, w) to latents (n, L, H), of which parts are hidden in training, and `decoder` back.

    Hidden patches, of side `patch` and each by itself with the image's ratio, are replaced by a learned one. `auxiliaries` name
    (decoder, features): a decoder of latents to (n, N, F) that is taught what features say of hidden patches. `variational` is
    the weight of KL to N(0, 1), in nats an image beside the mean square of a pixel; the encoder then gives (n, L, 2H), means
    and log variances, and what `encode` returns are the means.
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module,
        auxiliaries: Mapping[str, tuple[nn.Module, Features]] | None = None, mask: MaskRatio | None = None,
        patch: int = 1, variational: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.encoder, self.decoder, self.mask = encoder, decoder, mask or MaskRatio()
        self.patch = check_integer("patch", patch, 1, None, "pixels of a side; 1 hides each by itself")
        self.variational = check_real("variational", variational, 0, np.inf, "0 is a plain autoencoder", closed="[)")
        self.features = {name: features for name, (_, features) in (auxiliaries or {}).items()}
        self.auxiliaries = nn.ModuleDict({name: module for name, (module, _) in (auxiliaries or {}).items()})
        self.token = nn.Parameter(torch.zeros(1, 1, patch, patch))

    def encode(self, x: Tensor) -> Tensor:
        """Latents (n, L, H) of whole images."""
        return self._moments(self._checked(x))[0]

    def decode(self, latents: Tensor) -> Tensor:
        """Images (n, c, h, w)."""
        return finite_tensor("decoder", self.decoder(latents), (len(latents), None, None, None), "it gives images")

    def forward(self, x: Tensor) -> Tensor:
        """Images as their latents have them."""
        return self.decode(self.encode(x))

    def hide(self, x: Tensor, ratios: ArrayLike, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Images with patches replaced, each with its image's probability (n,), and which are, shape (n, h/patch, w/patch)."""
        p, (n, _, h, w) = self.patch, self._checked(x).shape
        r = torch.as_tensor(ratios, device="cpu")
        fits = r.shape in ((), (n,)) and bool(((r >= 0) & (r <= 1)).all())
        check(fits, "ratios", ratios, f"a number in [0, 1], or {n} of them", "`mask.draw` makes them")
        hidden = (torch.rand(n, h // p, w // p, generator=generator) < r.reshape(-1, 1, 1)).to(x.device)
        pixels = hidden.repeat_interleave(p, 1).repeat_interleave(p, 2)[:, None]
        return torch.where(pixels, self.token.tile(1, 1, h // p, w // p), x), hidden

    def loss(
        self, x: Tensor, ratios: ArrayLike, generator: torch.Generator | None = None, *, whole: bool = True
    ) -> tuple[Tensor, Tensor]:
        """What is trained but for perceptual and adversarial parts, and images decoded; the decoder's alone if not `whole`."""
        with torch.set_grad_enabled(whole and torch.is_grad_enabled()):
            seen, hidden = self.hide(x, ratios, generator)
            h, log_variance = self._moments(seen)
        total = x.new_zeros(())
        if log_variance is not None:
            nats = (h.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(1) / 2
            total = total + self.variational * nats.mean()
            h = h + (log_variance / 2).exp() * torch.randn(h.shape, generator=generator).to(h)
        again = finite_tensor("decoder", self.decode(h), tuple(x.shape), "see its end, and the rate")
        total = total + functional.mse_loss(again, x)
        for name, module in self.auxiliaries.items() if whole else ():
            target, found, rows = torch.as_tensor(self.features[name](x)).to(x), module(h), hidden.flatten(1)
            fits = found.shape == target.shape and target.shape[:2] == rows.shape
            check(fits, name, tuple(target.shape), f"like {tuple(found.shape)}, a row a patch", "see `features`")
            total = total + ((found - target).square().mean(2) * rows).sum() / rows.sum().clamp(min=1)
        return total, again

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        found = finite_tensor("encoder", self.encoder(x), (len(x), None, None), "it is to give latents (n, L, H)")
        H, even = found.shape[2] // 2, found.shape[2] % 2 == 0 or not self.variational
        check(even, "encoder", tuple(found.shape), "one that gives (n, L, 2H)", "see `variational`")
        return (found[..., :H], found[..., H:]) if self.variational else (found, None)

    def _checked(self, x: Tensor) -> Tensor:
        images, p = finite_tensor("x", x, (None,) * 4, "images (n, channels, height, width)"), self.patch
        check(x.shape[2] % p == x.shape[3] % p == 0, "x", tuple(x.shape), f"of sides that {p} divides", "crop it")
        return images


def fit(
    tokenizer: MaskedTokenizer, images: Tensor, steps: int,
    perceptual: Callable[[Tensor, Tensor], Tensor] | None = None, adversarial: nn.Module | None = None, *,
    weights: tuple[float, float] = (1.0, 0.4), batch: int = 128, rate: float = 1e-3, seed: int = 0,
    on_step: Callable[[int, float], None] | None = None, decoder_from: float | None = None,
) -> Floats:  # fmt: skip
    """Train on images (n, c, h, w) by AdamW, the rate along a cosine; the loss of each step, shape (steps,).

    `perceptual(decoded, images)` is a distance; `adversarial` a critic of images, taught in turn by the hinge loss; `weights`
    are theirs beside the mean square of a pixel (the paper's). With `decoder_from` as `tune_decoder`. Raises `InputError` for
    arguments out of range and a loss that is not finite.
    """
    data = finite_tensor("images", images, (None,) * 4, "(n, channels, height, width)").to(tokenizer.token)
    B, η = check_integer("batch", batch, 1, None, "128 is usual"), check_real("rate", rate, 0, 1, "1e-3 is usual")
    found, random = np.empty(check_integer("steps", steps, 1, None, "of training")), torch.Generator().manual_seed(seed)
    whole, fall = decoder_from is None, Cosine(warmup=0, final=0.01)
    taught = [tokenizer if whole else tokenizer.decoder, *([adversarial] if adversarial is not None else [])]
    optimisers = [torch.optim.AdamW(one.parameters(), η, weight_decay=1e-4) for one in taught]
    tokenizer.train()
    for step in range(steps):
        for group in (group for one in optimisers for group in one.param_groups):
            group["lr"] = η * fall.factor(step, steps)
        x = data[torch.randint(len(data), (B,), generator=random)]
        left = (decoder_from or 0) * (1 - step / max(1, steps - 1))
        ratios = tokenizer.mask.draw(B, random) if whole else torch.full((B,), left)
        total, again = tokenizer.loss(x, ratios, random, whole=whole)
        if perceptual is not None:
            total = total + weights[0] * perceptual(again, x).mean()
        losses = [total]
        if adversarial is not None:
            losses = [total - weights[1] * adversarial(again).mean(), (1 - adversarial(x)).relu().mean()]
            losses[1] = losses[1] + (1 + adversarial(again.detach())).relu().mean()
        check(bool(total.isfinite()), "rate", rate, f"small enough to train (lost at step {step})", "take a less")
        for one, loss in zip(optimisers, losses, strict=True):
            one.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            one.step()
        found[step] = total.item()
        if on_step is not None:
            on_step(step, found[step])
    tokenizer.eval()
    return found


def tune_decoder(tokenizer: MaskedTokenizer, images: Tensor, steps: int, mask_from: float = 0.6, **how: Any) -> Floats:
    """Teach the decoder alone, what is hidden falling in a straight line from `mask_from` to nothing; `how` as in `fit`."""
    return fit(tokenizer, images, steps, decoder_from=check_real("mask_from", mask_from, 0, 1, "at first"), **how)


def small_tokenizer(
    image_size: int, patch: int, latents: int = 16, channels: int = 8, width: int = 64, depth: int = 2, *,
    colours: int = 3, auxiliaries: Mapping[str, Features] | None = None, auxiliary_depth: int = 3,
    mask: MaskRatio | None = None, variational: float = 0.0, seed: int = 0,
) -> MaskedTokenizer:  # fmt: skip
    """Transformers of `depth` layers for images (n, colours, image_size, image_size): latents (n, latents, channels).

    The encoder reads patches and latent tokens together and keeps the latter; the decoder reads latents beside a token for each
    patch and keeps the former (MAETok, section 3: 12 layers of width 768, 128 latents of 32). `auxiliaries` are features alone.
    """
    check_sizes(latents=latents, channels=channels, depth=depth, colours=colours, auxiliary_depth=auxiliary_depth)
    check_sizes(image_size=image_size, patch=patch, width=width)
    check(image_size % patch == 0, "patch", patch, f"a divisor of {image_size}", "patches tile images")
    check(width % 16 == 0, "width", width, "a multiple of 16", "heads have 16")
    body, pixels, heads = ((image_size // patch) ** 2, latents, width), colours * patch**2, {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = _Reader(*body, depth, 0, pixels, channels * (2 if variational else 1))
        for name, features in (auxiliaries or {}).items():
            size = torch.as_tensor(features(torch.zeros(1, colours, image_size, image_size))).shape[-1]
            heads[name] = (_Reader(*body, auxiliary_depth, 1, channels, size), features)
        decoder = _Reader(*body, depth, 1, channels, pixels, nn.Fold(image_size, patch, stride=patch))
    parts = nn.Sequential(nn.Unfold(patch, stride=patch), encoder), decoder
    return MaskedTokenizer(*parts, heads, mask, patch, variational)


class _Reader(nn.Module):
    """A transformer on patches and latents: of which it is `given` the one, 0 or 1, and says the other; `fold` makes images."""

    def __init__(
        self, patches: int, latents: int, width: int, depth: int, given: int, into: int, out: int,
        fold: nn.Module | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.given, self.fold, self.embed, self.head = given, fold, nn.Linear(into, width), nn.Linear(width, out)
        how: Any = {"batch_first": True, "norm_first": True, "dropout": 0.0, "activation": "gelu"}
        layer = nn.TransformerEncoderLayer(width, width // 16, 4 * width, **how)
        self.layers = nn.TransformerEncoder(layer, depth, nn.LayerNorm(width), enable_nested_tensor=False)
        for part in (part for part in self.layers.parameters() if part.ndim > 1):  # torch copies the first layer
            nn.init.xavier_uniform_(part)
        self.places = nn.ParameterList(nn.Parameter(0.02 * torch.randn(n, width)) for n in (patches, latents))

    def forward(self, x: Tensor) -> Tensor:
        name, shape = ("patches", "latents")[self.given], (None, len(self.places[self.given]), self.embed.in_features)
        seen = finite_tensor(name, x if self.given else x.mT, shape, "see the sizes of `small_tokenizer`")
        tokens = [place.expand(len(x), -1, -1) for place in self.places]
        tokens[self.given] = tokens[self.given] + self.embed(seen)
        said = self.layers(torch.cat(tokens, 1)).split([len(place) for place in self.places], 1)
        out: Tensor = self.head(said[1 - self.given])
        return out if self.fold is None else self.fold(out.mT)


def hog(images: ArrayLike | Tensor, cell: int, bins: int = 9) -> Floats:
    """Histograms of oriented gradients of images (n, c, h, w), one for each cell of that side, shape (n, N, bins).

    Unsigned, of the colour whose gradient is largest, norm 1 (Dalal & Triggs 2005): scikit-image's with blocks of one cell.
    """
    data = images.detach().cpu().numpy() if isinstance(images, Tensor) else images
    x = finite("images", data, (None,) * 4, "(n, channels, height, width)")
    n, _, h, w = x.shape
    p, B = (check_integer(a, v, 1, None, "pixels, or parts of 180°") for a, v in (("cell", cell), ("bins", bins)))
    check(h % p == w % p == 0, "cell", p, f"a divisor of {h} and {w}", "cells tile the image")
    rise, run = np.zeros_like(x), np.zeros_like(x)
    rise[:, :, 1:-1], run[..., 1:-1] = x[:, :, 2:] - x[:, :, :-2], x[..., 2:] - x[..., :-2]
    largest = np.hypot(rise, run).argmax(1)[:, None]
    rise, run = (np.take_along_axis(part, largest, 1)[:, 0] for part in (rise, run))
    place = (np.rad2deg(np.arctan2(rise, run)) % 180 // (180 / B)).astype(int).clip(0, B - 1)
    each = np.hypot(rise, run)[..., None] * (place[..., None] == np.arange(B))
    cells = each.reshape(n, h // p, p, w // p, p, B).mean((2, 4)).reshape(n, -1, B)
    return np.asarray(cells / np.sqrt(np.square(cells).sum(2, keepdims=True) + 1e-10))


class LatentReport(NamedTuple):
    """Of whitened latents; code lengths and accuracy are of what was held out.

    `nll` are nats a point by Gaussian mixtures of `components` K, (len(K),), to be compared between latents of one number of
    dimensions, and `bic` Bayes' criterion on the other points, least where the mixture has as many modes; `effective` is the
    first K whose code length is within 1 % of the best. `probe` is the accuracy of logistic regression, nan without labels;
    `intrinsic` the dimension by ratios of distances to two neighbours (Facco et al. 2017), nan where none differ.
    """

    components: tuple[int, ...]
    nll: Floats
    bic: Floats
    effective: int
    probe: float
    intrinsic: float


def latent_report(
    z: ArrayLike | Tensor, labels: ArrayLike | None = None, components: Sequence[int] = (1, 5, 10, 20), *,
    held_out: float = 0.25, seed: int = 0,
) -> LatentReport:  # fmt: skip
    """Of latents (n, ...), flattened, with classes `labels` (n,).

    Whitened by the principal directions of those that are not held out; directions without variance are left out. Needs
    scikit-learn. Raises `InputError` for fewer than four points a component and what is not finite.
    """
    given = z.double().numpy(force=True) if isinstance(z, Tensor) else np.asarray(z)
    x = finite("z", given, (None,) * max(1, given.ndim), "latents (n, ...)").reshape(len(given), -1)
    out = round(check_real("held_out", held_out, 0, 1, "a quarter is usual", closed="()") * len(x))
    K = [check_integer("components", k, 1, (len(x) - out) // 4, "at most a quarter of the points") for k in components]
    check(min(out, len(K)) > 0 and np.ptp(x, 0).any(), "z", x.shape, "points to hold out, not all one", "encode more")
    sets, order = ("decomposition", "mixture", "linear_model", "neighbors"), _random.generator(seed, "latents")
    pca, mixture, linear, near = (library(f"sklearn.{name}", "reports on latents") for name in sets)
    test, train = np.split(order.permutation(len(x)), [out])
    white = pca.PCA(1 - 1e-10, whiten=True, svd_solver="full").fit(x[train]).transform(x)
    fits: list[Any] = [mixture.GaussianMixture(k, reg_covar=1e-4, random_state=seed, max_iter=500) for k in K]
    nll = np.array([-one.fit(white[train]).score(white[test]) for one in fits])
    probe = float("nan")
    if labels is not None:
        y = finite("labels", labels, (len(x),), "one for each point")
        check(np.ptp(y[train]) > 0, "labels", f"{y[0]:g} alone", "of two classes or more", "leave them out")
        probe = linear.LogisticRegression(max_iter=2000).fit(white[train], y[train]).score(white[test], y[test])
    far = near.NearestNeighbors(n_neighbors=2).fit(white).kneighbors()[0]
    far = far[far[:, 0] > 0]  # copies have no ratio
    best, apart = nll <= nll.min() + 0.01 * abs(nll.min()), float(np.log(far[:, 1] / far[:, 0]).sum())
    intrinsic = len(far) / apart if apart > 0 else float("nan")
    bic = np.array([one.bic(white[train]) for one in fits])
    return LatentReport(tuple(K), nll, bic, K[int(np.argmax(best))], probe, intrinsic)
