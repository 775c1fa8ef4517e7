"""The cells of the tokenizer study. Rows of images have an `axis`: run, by `name` of mask and weight; pixel, what is shown."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from twopart import _random
from twopart.evidence import long
from twopart.fits.distances import frechet_distance
from twopart.lab import Cell
from twopart.laws.diffusion.denoising import mode_error
from twopart.laws.diffusion.tokenizers import masked_code
from twopart.learners.diffusion import MLPDenoiser, pure_noise, sample, train_denoisers
from twopart.learners.diffusion import tokenizer as masked
from twopart.studies.diffusion.maetok import KINDS, Images, Linear, Modes
from twopart.worlds._image_folders import pictures
from twopart.worlds._libraries import library
from twopart.worlds.noise import OU, grid
from twopart.worlds.targets import MixtureTarget

CLOCK, AT = OU(), torch.tensor(0.2, dtype=torch.float64)
A, S, TIMES = CLOCK.scale(AT), CLOCK.std(AT), grid(CLOCK, 40, (-7.0, 7.0))


class Rows(nn.Module):
    """A linear map for each row of (n, R, in): R networks as one."""

    def __init__(self, *shape: int, random: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.1 * torch.randn(shape, generator=random))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nri,roi->nro", x, self.weight)


def encode(case: Linear, cell: Cell) -> pl.DataFrame:
    """Train, look, tune the decoder, look again: replicates are rows of one image, whose pixels are hidden one by one."""
    w, d, R, rows = case.world, case.world.dimension, case.seeds, list[pl.DataFrame]()
    x = torch.stack([torch.from_numpy(w.sample(20_000, cell.seed, b)[0]).float() for b in range(R)], 1)[:, None]
    pixels, classes = w.sample(1500, cell.seed, R)
    kinds = list(product(case.codes, case.ratios))
    for done, (k, ratio) in enumerate(kinds, 1):
        seed, found, least = cell.seed // 2 + done, dict[str, Any](), masked_code(w.covariance, k).clean
        random = torch.Generator().manual_seed(seed)
        into, out = Rows(R, k, d, random=random), Rows(R, d, k, random=random)
        ends = nn.Sequential(nn.Flatten(1, 2), into), nn.Sequential(out, nn.Unflatten(1, (1, R)))
        model = masked.MaskedTokenizer(*ends, mask=masked.MaskRatio(ratio, ratio)).to(cell.device)
        for when, steps in (("untuned", case.updates), ("tuned", case.updates // 3)):
            train = masked.fit if when == "untuned" else partial(masked.tune_decoder, mask_from=ratio)
            train(model, x, steps, rate=0.03, seed=seed)
            E, D = (part.weight.detach().double().cpu().numpy() for part in (into, out))
            apart = np.eye(d) - D @ E
            found[when] = np.einsum("rij,jk,rik->r", apart, w.covariance, apart) / least
            found.setdefault("alignment", np.square(w.direction @ np.linalg.qr(D)[0]).sum(1))
        probes = [masked.latent_report(pixels @ one.T, classes, (1,)).probe for one in E]
        rows.append(long("coded", {**found, "probe": probes}, k=k, ratio=ratio))
        cell.progress(done, len(kinds))
    return pl.concat(rows)


def locate(case: Modes, cell: Cell) -> pl.DataFrame:
    """Centres by both methods, starting from the true ones, and what their scores lack at points of the noised mixture."""
    rows, R = list[dict[str, Any]](), case.mixtures
    kinds = [(K, 4.0, case.points) for K in case.modes] + [(case.crowd, 1.2, 1000 * case.crowd)]
    for done, (K, deviation, n) in enumerate(kinds):
        far, random = done < len(case.modes), _random.generator(cell.seed, "centres", done)
        target = MixtureTarget(np.ones(K), deviation * random.standard_normal((K, 8)), 1.0)
        μ, truth = target.means, target.diffused(A, S)
        law = None if far else mode_error(μ, n, float(AT))
        for b in range(R):
            x, points = target.sample(n, cell.seed, b), truth.sample(4000, cell.seed, R + b)
            z = torch.from_numpy(_random.generator(cell.seed, "noise", b).standard_normal((2, n, 8)))
            for how, found in {"likelihood": likeliest(x, μ), "matching": matched(x, z, μ)}.items():
                off = (score(points, A * found) - score(points, A * μ)).square().sum(1).mean()
                predicted = float(A) ** 2 * μ.numel() / n if far else getattr(law, how)
                rows.append({"replicate": b, "how": how, "far": far, "law": predicted, "error": float(off)})
            cell.progress(done * R + b + 1, len(kinds) * R)
    return pl.DataFrame(rows)


def shares(x: Tensor, centres: Tensor) -> Tensor:
    return torch.softmax(x @ centres.T - centres.square().sum(1) / 2, -1)


def score(x: Tensor, centres: Tensor) -> Tensor:
    return shares(x, centres) @ centres - x


def likeliest(x: Tensor, centres: Tensor) -> Tensor:
    """A hundred steps of EM for unit modes of equal weight."""
    for _ in range(100):
        r = shares(x, centres)
        centres = r.T @ x / r.sum(0)[:, None]
    return centres


def matched(x: Tensor, z: Tensor, centres: Tensor) -> Tensor:
    """Centres whose score is nearest to -z/s at points x noised by z (pairs, n, d) and by its opposite."""
    θ, noise = centres.clone().requires_grad_(), torch.cat([z, -z])
    optimiser = torch.optim.LBFGS([θ], max_iter=100, tolerance_grad=1e-7, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        error = (score(A * x + S * noise, A * θ) + noise / S).square().mean() * θ.numel()
        error.backward()  # type: ignore[no-untyped-call]
        return error

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return θ.detach()


def tokenise(case: Images, cell: Cell) -> pl.DataFrame:
    """Tokenizers, diffusion models of their latents, and samples, decoded and compared with held-out images."""
    keys = [int(key >> 1) for key in _random.keys(cell.seed, case.tokenizers, "tokens")]
    parts = pictures(case.dataset, case.folder, side=case.side)
    x, unseen = (torch.from_numpy(part.x[: case.most]).to(cell.device) for part in parts)
    seen, new = (part.y[: case.most] for part in parts)
    k, y, rows = case.latents * case.channels, np.concatenate([seen, new]), [mosaic(unseen, "held out")]
    classifier = library("sklearn.linear_model", "features").LogisticRegression(C=0.01, max_iter=1000)
    classifier.fit(x.flatten(1).cpu().numpy(), seen)
    for done, (name, kind) in enumerate(KINDS.items(), 1):
        models = [network(case, x, kind, key).to(cell.device) for key in keys]
        for model, key in zip(models, keys, strict=True):
            masked.fit(model, x, case.training, seed=key)
            masked.tune_decoder(model, x, case.training // 3, kind[1], seed=key)
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            z = [model.encode(x).flatten(1) for model in models]
            torch.manual_seed(keys[0])
            denoisers = [MLPDenoiser(k, CLOCK, width=96, skip="edm").to(cell.device) for _ in models]
            scaled = [(part - part.mean(0)) / part.std(0) for part in z]
        train_denoisers(denoisers, scaled, CLOCK, steps=case.denoising, seed=keys[0])
        for b, (model, part, denoiser) in enumerate(zip(models, z, denoisers, strict=True)):
            start = pure_noise(CLOCK, TIMES, (len(x), k), generator=cell.generator("samples", b), device=cell.device)
            with torch.no_grad():
                drawn = sample(denoiser, CLOCK, TIMES, start, solver="ddim") * part.std(0) + part.mean(0)
                made, again = model.decode(drawn.reshape(len(x), case.latents, -1)), model(unseen)
                whole = torch.cat([part, model.encode(unseen).flatten(1)])
            told = masked.latent_report(whole, y, sorted({1, case.components // 2, case.components}))
            found = {column: getattr(told, column) for column in ("probe", "effective", "intrinsic")}
            found |= {"nll": told.nll[-1], "error": float((again - unseen).square().mean())}
            logs = [classifier.predict_log_proba(part.flatten(1).cpu().numpy()) for part in (unseen, again, made)]
            found["coded"], found["distance"] = (frechet_distance(one, logs[0]) for one in logs[1:])
            rows.append(pl.DataFrame({"axis": "run", "name": name, "replicate": b, **found}))
            rows += [mosaic(made, name)] * (b == 0)
        cell.progress(done, len(KINDS))
    return pl.concat(rows, how="diagonal_relaxed")


def network(case: Images, x: Tensor, kind: tuple[float, float, float], seed: int) -> masked.MaskedTokenizer:
    """Transformers that learn HOG too, or networks of one hidden layer."""
    (low, high, weight), w, L, H, shape = kind, case.width, case.latents, case.channels, x.shape[1:]
    how: Any = {"mask": masked.MaskRatio(low, high), "variational": weight}
    if case.network == "transformer":
        how |= {"colours": shape[0], "auxiliaries": {"hog": partial(masked.hog, cell=case.patch)}, "seed": seed}
        return masked.small_tokenizer(shape[1], case.patch, L, H, w, **how)
    code, pixels, flat, act = (L, H * (2 if weight else 1)), shape.numel(), nn.Flatten(), nn.GELU()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inner = [nn.Linear(i, o) for i, o in ((pixels, w), (w, code[0] * code[1]), (L * H, w), (w, pixels))]
    encoder = nn.Sequential(flat, inner[0], act, inner[1], nn.Unflatten(1, code))
    decoder = nn.Sequential(flat, inner[2], act, inner[3], nn.Unflatten(1, shape))
    return masked.MaskedTokenizer(encoder, decoder, patch=case.patch, **how)


def mosaic(images: Tensor, name: str) -> pl.DataFrame:
    """The first nine, three by three, or four, or one: a row for each pixel."""
    k = min(3, int(len(images) ** 0.5))
    grey = images[: k * k].mean(1).reshape(k, k, *images.shape[2:]).transpose(1, 2).flatten(2).flatten(0, 1)
    row, column = np.indices(grey.shape)[:, None]
    return long("pixel", {"row": row, "column": column, "grey": grey[None]}, name=name)
