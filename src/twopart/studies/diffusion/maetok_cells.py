"""The cells of the tokenizer study. Rows of images are told apart by the column `axis`:

run    by `name` of mask and weight: what the latents are like, and errors and distances of what is decoded
pixel  by `name`, `row` and `column`: images shown
plan   by `ratio` and `direction`: what masking would keep
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise, product
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from twopart import _random
from twopart._arrays import Floats
from twopart.evidence import long
from twopart.fits.distances import frechet_distance
from twopart.lab import Cell
from twopart.laws.diffusion.tokenizers import masked_code, mode_error, suggest_mask
from twopart.learners.diffusion import MLPDenoiser, pure_noise, sample, train_denoisers
from twopart.learners.diffusion.latent_report import latent_report
from twopart.learners.diffusion.tokenizer import MaskedTokenizer, MaskRatio, fit, hog, small_tokenizer, tune_decoder
from twopart.studies.diffusion.maetok import CROWD, DSM, EM, MASKS, PLAIN, WEIGHTS, Images, Linear, Modes
from twopart.worlds._libraries import library
from twopart.worlds.diffusion.latents import pictures
from twopart.worlds.noise import OU, grid
from twopart.worlds.targets import MixtureTarget

CLOCK, AT, DRAWN = OU(), torch.tensor(0.2, dtype=torch.float64), 1000
A, S, TIMES = CLOCK.scale(AT), CLOCK.std(AT), grid(CLOCK, 30, (-7.0, 7.0))


class Rows(nn.Module):
    """A linear map for each row of (n, R, in): R networks as one."""

    def __init__(self, rows: int, into: int, out: int, random: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(rows, out, into, generator=random) / into**0.5)

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nri,roi->nro", x, self.weight)


def encode(case: Linear, cell: Cell) -> pl.DataFrame:
    """Train, look, tune the decoder, look again: replicates are rows of one image, whose pixels are hidden one by one."""
    w, R, random, rows = case.world, case.seeds, torch.Generator().manual_seed(cell.seed), list[pl.DataFrame]()
    x = torch.stack([torch.from_numpy(w.sample(20_000, cell.seed, b)[0]).float() for b in range(R)], 1)[:, None]
    pixels, classes = w.sample(4000, cell.seed, R)
    kinds = list(product(case.codes, case.ratios))
    for done, (k, ratio) in enumerate(kinds, 1):
        into, out = Rows(R, w.dimension, k, random), Rows(R, k, w.dimension, random)
        ends = nn.Sequential(nn.Flatten(1, 2), into), nn.Sequential(out, nn.Unflatten(1, (1, R)))
        model = MaskedTokenizer(*ends, mask=MaskRatio(ratio, ratio)).to(cell.device)
        fit(model, x, case.updates, rate=1e-2, seed=done)
        (encoder, decoder), prices = (weights(part) for part in (into, out)), [price(w.covariance, into, out)]
        tune_decoder(model, x, case.updates // 3, ratio, rate=1e-2, seed=done)
        prices.append(price(w.covariance, into, out))
        probes = [latent_report(pixels @ one.T, classes, (1,)).probe for one in encoder]
        aligned = np.square(w.direction @ np.linalg.qr(decoder)[0]).sum(1)
        found = {"alignment": aligned, "untuned": prices[0], "tuned": prices[1], "probe": probes}
        rows.append(long("coded", found, k=k, ratio=ratio))
        cell.progress(done, len(kinds))
    return pl.concat(rows)


def weights(part: Rows) -> Floats:
    return np.asarray(part.weight.detach().double().cpu().numpy())


def price(covariance: Floats, into: Rows, out: Rows) -> Floats:
    """Expected square error of whole images over PCA's, shape (R,)."""
    apart = np.eye(len(covariance)) - weights(out) @ weights(into)
    least = masked_code(covariance, into.weight.shape[1]).clean
    return np.asarray(np.einsum("rij,jk,rik->r", apart, covariance, apart) / least)


def locate(case: Modes, cell: Cell) -> pl.DataFrame:
    """Centres by both methods, starting from the true ones, and what their scores lack at points of the noised mixture."""
    rows, R = list[dict[str, Any]](), case.mixtures
    kinds = [(K, 4.0, case.points) for K in case.modes] + [(CROWD, 1.2, 4 * case.points)]
    for done, (K, deviation, n) in enumerate(kinds):
        centres = deviation * _random.generator(cell.seed, "centres", done).standard_normal((K, 8))
        far, target, truth = done < len(case.modes), mixture(centres), mixture(centres).diffused(A, S)
        separated, *laws, _ = mode_error(centres, n, float(AT), points=2 * centres.size if far else 20_000)
        for b in range(R):
            x, points = target.sample(n, cell.seed, b), truth.sample(4000, cell.seed, R + b)
            z = torch.from_numpy(_random.generator(cell.seed, "noise", b).standard_normal((2, n, 8)))
            for how, law, μ in zip(
                (EM, DSM), laws, (likeliest(x, target.means), matched(x, z, target.means)), strict=True
            ):
                off = (mixture(μ).diffused(A, S).score(points) - truth.score(points)).square().sum(1).mean()
                law = separated if far else law
                rows.append({"replicate": b, "how": how, "modes": K, "far": far, "law": law, "error": float(off)})
            cell.progress(done * R + b + 1, len(kinds) * R)
    return pl.DataFrame(rows)


def mixture(centres: Any) -> MixtureTarget:
    return MixtureTarget(torch.ones(len(centres)), torch.as_tensor(centres), 1.0)


def likeliest(x: Tensor, centres: Tensor) -> Tensor:
    """EM of unit modes of equal weight."""
    for _ in range(1000):
        shares = torch.softmax(x @ centres.T - centres.square().sum(1) / 2, 1)
        last, centres = centres, shares.T @ x / shares.sum(0)[:, None]
        if float((centres - last).abs().max()) < 1e-6:
            break
    return centres


def matched(x: Tensor, z: Tensor, centres: Tensor) -> Tensor:
    """Centres whose score is nearest to -z/s at points x noised by z (pairs, n, d) and by its opposite."""
    θ, noise = centres.clone().requires_grad_(), torch.cat([z, -z])
    optimiser = torch.optim.LBFGS([θ], max_iter=100, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        error = (mixture(θ).diffused(A, S).score(A * x + S * noise) + noise / S).square().mean() * θ.numel()
        error.backward()  # type: ignore[no-untyped-call]
        return error

    optimiser.step(loss)  # type: ignore[arg-type]
    return θ.detach()


def tokenise(case: Images, cell: Cell) -> pl.DataFrame:
    """Tokenizers, diffusion models of their latents, and samples, decoded and compared with held-out images."""
    keys = [int(key >> 1) for key in _random.keys(cell.seed, case.tokenizers, "tokenizers")]
    train, test = pictures(case.dataset, case.folder, side=case.side)
    x, unseen = (torch.from_numpy(part.x).to(cell.device) for part in (train, test))
    y, k, of, rows = np.concatenate([train.y, test.y]), case.latents * case.channels, features(train.x, train.y), []
    plan = suggest_mask(train.x, k, patch=case.patch)
    kept = plan.kept[:, : 2 * k]
    parts = np.broadcast_arrays(plan.ratios[:, None], 1 + np.arange(kept.shape[1]), kept, plan.price[:, None])
    columns = {name: part[None] for name, part in zip(("ratio", "direction", "kept", "price"), parts, strict=True)}
    rows = [long("plan", columns), mosaic(unseen, "held out")]
    kinds = [(name, mask, 0.0) for name, mask in MASKS.items()] + [
        (name, MASKS[PLAIN], w) for name, w in WEIGHTS.items()
    ]
    for done, (name, mask, weight) in enumerate(kinds, 1):
        models = [network(case, x, mask, weight, key).to(cell.device) for key in keys]
        for model, key in zip(models, keys, strict=True):
            fit(model, x, case.training, seed=key)
            tune_decoder(model, x, case.training // 3, mask[1], seed=key)
        with torch.no_grad():
            z = [model.encode(x).flatten(1) for model in models]
        denoisers = [MLPDenoiser(k, CLOCK, width=96, skip="edm").to(cell.device) for _ in models]
        scaled = [(part - part.mean(0)) / part.std(0) for part in z]
        train_denoisers(denoisers, scaled, CLOCK, steps=case.denoising, seed=keys[0])
        for b, (model, part, denoiser) in enumerate(zip(models, z, denoisers, strict=True)):
            start = pure_noise(CLOCK, TIMES, (DRAWN, k), generator=cell.generator("samples", b), device=cell.device)
            with torch.no_grad():
                drawn = sample(denoiser, CLOCK, TIMES, start) * part.std(0) + part.mean(0)
                made, again = model.decode(drawn.unflatten(1, (case.latents, -1))), model(unseen)
                whole = torch.cat([part, model.encode(unseen).flatten(1)])
            report = latent_report(whole, y, (1, case.components // 2, case.components))
            found = {"probe": report.probe, "nll": report.nll[-1], "effective": report.effective,
                     "intrinsic": report.intrinsic, "error": float(mse_loss(again, unseen)),
                     "reconstructed": frechet_distance(of(again), of(unseen)), "distance": frechet_distance(of(made), of(unseen))}  # fmt: skip
            rows.append(pl.DataFrame({"axis": "run", "name": name, "replicate": b, **found}))
            rows += [mosaic(made, name)] * (b == 0)
        cell.progress(done, len(kinds))
    return pl.concat(rows, how="diagonal_relaxed")


def features(x: Floats, y: Floats) -> Any:
    """The fixed classifier in whose features distances are taken: discriminants of principal components."""
    pca, lda = (library(f"sklearn.{name}", "features") for name in ("decomposition", "discriminant_analysis"))
    first = pca.PCA(min(50, x[0].size // 2), random_state=0).fit(x.reshape(len(x), -1))
    then = lda.LinearDiscriminantAnalysis().fit(first.transform(x.reshape(len(x), -1)), y)
    return lambda images: then.transform(first.transform(images.flatten(1).cpu().numpy()))


def network(case: Images, x: Tensor, mask: tuple[float, float], weight: float, seed: int) -> MaskedTokenizer:
    """Transformers that learn HOG too, or networks of two hidden layers."""
    (_, c, side, _), code, w, ratio = (
        x.shape,
        (case.latents, case.channels * (1 + (weight > 0))),
        case.width,
        MaskRatio(*mask),
    )
    if case.network == "transformer":
        how: Any = {"mask": ratio, "variational": weight, "auxiliaries": {"hog": partial(hog, cell=case.patch)}}
        return small_tokenizer(side, case.patch, case.latents, case.channels, w, colours=c, seed=seed, **how)
    sizes = (c * side**2, w, w, code[0] * code[1]), (case.latents * case.channels, w, w, c * side**2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder, decoder = (
            [part for i, o in pairwise(part) for part in (nn.Linear(i, o), nn.GELU())][:-1] for part in sizes
        )
    ends = nn.Unflatten(1, code), nn.Unflatten(1, (c, side, side))
    parts = (nn.Sequential(nn.Flatten(), *part, end) for part, end in zip((encoder, decoder), ends, strict=True))
    return MaskedTokenizer(*parts, mask=ratio, patch=case.patch, variational=weight)


def mosaic(images: Tensor, name: str) -> pl.DataFrame:
    """The first nine, three by three: a row for each pixel."""
    grey = images[:9].mean(1).unflatten(0, (3, 3)).transpose(1, 2).flatten(2).flatten(0, 1).double().cpu().numpy()
    row, column = np.indices(grey.shape)[:, None]
    return long("pixel", {"row": row, "column": column, "grey": grey[None]}, name=name)
