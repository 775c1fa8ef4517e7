"""Which latents does masking make, and which of them can a diffusion model learn?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import polars as pl
from scipy.stats import rankdata

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Guard, Rows, claim, curve, curves, mean, paired, statistic, table
from twopart.evidence.judges import never_below, sign, within, within_range, within_share
from twopart.findings import Claim, Table
from twopart.laws.diffusion.tokenizers import masked_code, switch_ratio
from twopart.report import Axis, Figure, HeatMap
from twopart.settings import at_least, between, distinct, every, one_of, rising, settings
from twopart.studies import Work
from twopart.worlds.diffusion.latents import ClusterPixels

STUDY, TITLE, PAGE = "maetok", "Masked autoencoders as tokenizers", "docs/laws/maetok.md"
SWITCH, PRICE, MODES = (f"{PAGE}, {part}" for part in ("what is coded", "what it costs", "modes"))
PROXY = f"Chen, Han et al. 2025, arXiv 2502.03444; {PAGE}, images"
HOW = {"likelihood": "centres of maximum likelihood", "matching": "centres by score matching"}
RATIO, SPREAD = every(between(0, 0.9)), at_least(2).because("an interval needs a spread")
MASKED = {"no mask": (0.0, 0.0), "mask .2 to .4": (0.2, 0.4), "mask .4 to .6": (0.4, 0.6), "mask .6 to .8": (0.6, 0.8)}
PLAIN, KL = "mask .4 to .6", {f"mask .4 to .6, KL {weight:g}": weight for weight in (1e-3, 1e-2)}
KINDS = {n: (*r, 0.0) for n, r in MASKED.items()} | {n: (*MASKED[PLAIN], weight) for n, weight in KL.items()}


@settings
class Linear:
    """Linear autoencoders, all ratios and sizes of code."""

    world: ClusterPixels = ClusterPixels()
    codes: Annotated[tuple[int, ...], distinct(1), every(between(1, 3)), "Numbers of a code."] = (1, 2, 3)
    ratios: Annotated[tuple[float, ...], rising(2), RATIO, "Ratios of masking."] = (0, 0.15, 0.25, 0.35, 0.45, 0.6)
    updates: Annotated[int, at_least(6), "Steps of a linear autoencoder; a third as many for its decoder."] = 800
    seeds: Annotated[int, SPREAD, "Linear autoencoders of each kind."] = 8

    def law(self, k: int, ratio: float) -> dict[str, float]:
        """How much of the shared direction is coded, what a probe reads, and errors of whole images over PCA's."""
        code, least = masked_code(self.world.covariance, k, ratio), masked_code(self.world.covariance, k).clean
        share = float(code.share(self.world.direction))
        probe = self.world.accuracy if share > 0.5 else 1 / self.world.classes
        return {"alignment": share, "probe": probe, "untuned": code.clean / least, "tuned": code.tuned / least}


@settings
class Modes:
    """Unit modes in 8 dimensions, whose centres are found from samples: far apart, and a crowd that overlap."""

    modes: Annotated[tuple[int, ...], rising(2), every(at_least(2)), "Modes K, far apart."] = (2, 4, 8, 16, 32)
    points: Annotated[int, at_least(200), "Points n of a mixture, its modes far apart."] = 2000
    crowd: Annotated[int, at_least(2), "Modes that overlap; a thousand points for each."] = 8
    mixtures: Annotated[int, SPREAD, "Samples of each mixture."] = 48


@settings
class Images:
    """Tokenizers of images, and diffusion models of their latents."""

    dataset: Annotated[str, one_of("digits", "folder", "mnist", "cifar10", "cifar100"), "Images."] = "digits"
    folder: Annotated[str, "Where they are: <class>/<image>, or torchvision's files."] = ""
    side: Annotated[int, at_least(8), "Pixels to which images of a folder are scaled."] = 32
    network: Annotated[str, one_of("mlp", "transformer"), "Encoder and decoder; transformers learn HOG too."] = "mlp"
    patch: Annotated[int, between(1, 16), "Side of what is hidden together."] = 2
    latents: Annotated[int, at_least(1), "Tokens of an image."] = 3
    channels: Annotated[int, at_least(1), "Numbers of a token."] = 2
    width: Annotated[int, at_least(16), "Units of a layer; a multiple of 16 in transformers."] = 128
    training: Annotated[int, at_least(6), "Steps of a tokenizer; a third as many for its decoder."] = 300
    denoising: Annotated[int, at_least(2), "Steps of a latent diffusion model."] = 400
    components: Annotated[int, at_least(2), "Components of the mixture that is fitted to latents."] = 20
    tokenizers: Annotated[int, SPREAD, "Tokenizers of each kind."] = 8
    most: Annotated[int, at_least(50), "Images at most to learn from, and as many held out."] = 1_000_000


@settings
class Config:
    """Masked autoencoders as tokenizers: a linear law, modes of latents, images from tokens to samples."""

    linear: Linear = Linear()
    mixture: Modes = Modes()
    images: Images = Images()


PRESETS = {
    "tiny": Config(
        Linear(ClusterPixels(), (1,), (0, 0.6), 20, 2), Modes((2, 4), 200, 2, 2),
        Images(width=16, training=6, denoising=3, components=2, tokenizers=2, most=50),
    ),
    "small": Config(),
    "full": Config(images=Images("folder", "photos", 64, "transformer", 8, 16, 8, 256, 20_000, 20_000)),
}  # fmt: skip


def cells(config: Config, seed: int) -> Iterator[Work]:
    kinds = (("tokenise", config.images, 3), ("encode", config.linear, 2), ("locate", config.mixture, 1))
    yield from (Work(name, case, cost=cost) for name, case, cost in kinds)


@claim(within(0.05), "masking ratio", SWITCH, "where the mean alignment of trained codes crosses 1/2, interpolated")
def switches(t: Rows[Linear], k: int) -> Estimate:
    """Code of {k}: the direction that pixels share enters where the law says."""
    w, r = t.case.world, np.array(t.case.ratios)

    def crossing(aligned: Floats) -> float:
        at = int(np.argmax(aligned > 0.5))
        near = slice(max(at - 1, 0), at + 1)
        return float(np.interp(0.5, aligned[near], r[near])) if aligned[at] > 0.5 else 1.0

    predicted = switch_ratio(w.signal, w.spread, w.noise, sorted(w.nuisances)[-k])
    return statistic(crossing, t.array("alignment", k=k)).against(predicted)


@claim(within_share(0.05), "ratio", PRICE, "square error of whole images over PCA's, after masking {ratio:g}")
def costs(t: Rows[Linear], k: int, when: str) -> Estimate:
    """Code of {k}, {when}: a masked autoencoder's price is the law's."""
    r = t.case.ratios[-1]
    return mean(t.array(when, k=k, ratio=r)).against(t.case.law(k, r)[when], ratio=r)


@claim(within(0.05), "accuracy", SWITCH, "accuracy of a linear probe at the largest ratio, less that at the least")
def reads(t: Rows[Linear], k: int) -> Estimate:
    """Code of {k}: what a linear probe reads of the class jumps with the switch."""
    least, most = (t.case.law(k, t.case.ratios[end])["probe"] for end in (0, -1))
    return paired(*t.array("probe", k=k).T[[-1, 0]]).against(most - least)


@claim(within_range(0.9, 1.15), "exponent", MODES, "log-log slope of the mean error of the score")
def is_linear(t: Rows[Modes], how: str) -> Estimate:
    """Modes far apart, {name}: the error is linear in their number, not of order K⁴."""
    x, error = np.log(t.case.modes), t.array("error", how=how, far=True)
    return statistic(lambda e: float(np.polyfit(x, np.log(e), 1)[0]), error).against(1.0, name=HOW[how])


def over_law(t: Rows[Modes], how: str, far: bool) -> Estimate:
    """Modes {where}, {name}: the error of the score is the law's."""
    error, law = t.array("error", "law", how=how, far=far).reshape(t.case.mixtures, 2, -1).sum(2).T
    return mean(error / law).against(1.0, name=HOW[how], where="far apart" if far else "that overlap")


LAWS = "error over the law: e^-2t K d/n, pooled over K, or from the information of centres where modes overlap"
has_its_constant, overlaps = (claim(within_share(margin), "ratio", MODES, LAWS)(over_law) for margin in (0.1, 0.15))


@claim(sign(+1), "rank correlation", PROXY, "over {count} masks, mean over replicates")
def goes_with(t: Rows[Images], what: str, column: str, along: str) -> Estimate:
    """Images: {what}."""
    y, distance = (t.array(c, axis="run", name=list(MASKED)) for c in (column, "distance"))
    x = -distance if along == "distance" else np.broadcast_to(np.arange(len(MASKED)), y.shape)
    ranks = np.stack([rankdata(x, axis=1), rankdata(-y if column == "nll" else y, axis=1)], 1)
    with np.errstate(invalid="ignore"):  # nan where all are alike
        found = [np.corrcoef(pair)[0, 1] for pair in ranks]
    return mean(found).against(None, count=len(MASKED))


def over(t: Rows[Images], name: str, column: str) -> Estimate:
    return paired(*(t.array(column, axis="run", name=one) for one in (name, PLAIN)))


ALIKE = Guard("mean probe accuracies differ by over 0.02", lambda t, name: abs(over(t, name, "probe").value) > 0.02)


@claim(never_below(), "distance", PROXY, "Fréchet distance of samples less that without KL", ALIKE)
def is_no_better(t: Rows[Images], name: str) -> Estimate:
    """Images, {name}: KL does not bring samples nearer."""
    return over(t, name, "distance")


def claims(found: Found) -> Iterator[Claim]:
    linear, modes, images = found.one(Linear), found.one(Modes), found.one(Images)
    for k in linear.case.codes:
        yield from (switches(linear, k), costs(linear, k, "untuned"), costs(linear, k, "tuned"), reads(linear, k))
    for how in HOW:
        yield from (is_linear(modes, how), has_its_constant(modes, how, True), overlaps(modes, how, False))
    yield goes_with(images, "the more is hidden, the shorter a mixture's code of whitened latents", "nll", "mask")
    yield goes_with(images, "the more is hidden, the more a linear probe reads", "probe", "mask")
    yield goes_with(images, "the shorter a mixture's code of latents, the nearer the samples", "nll", "distance")
    yield goes_with(images, "the more a linear probe reads, the nearer the samples", "probe", "distance")
    yield from (is_no_better(images, name) for name in KL)


def of_codes(found: Found) -> Iterator[pl.DataFrame]:
    """By ratio of masking: how much of the shared direction is coded, held-out accuracy of a linear probe, and square errors of
    whole images over PCA's, before and after decoder tuning. Trained: mean, least and greatest replicate.
    """
    t, x = found.one(Linear), np.linspace(0, found.one(Linear).case.ratios[-1], 61)
    for k in t.case.codes:
        laws = [t.case.law(k, r) for r in x]
        for name in laws[0]:
            labels = {"code": f"code of {k}", "quantity": name}
            yield curve({"ratio": x}, {"value": [law[name] for law in laws]}, None, **labels, series="law")
            yield curve({"ratio": t.case.ratios}, {"value": t.array(name, k=k)}, None, **labels, series="trained")


def of_modes(found: Found) -> Iterator[pl.DataFrame]:
    """E|ŝ - s|² by the number of modes: mean with one standard error. Law: e^-2t K d/n. K⁴: as it would rise from the first."""
    t = found.one(Modes)
    K, law = np.array(t.case.modes), t.array("law", how="likelihood", far=True)[0]
    errors = {name: t.array("error", how=how, far=True) for how, name in HOW.items()}
    yield curves({"modes": K}, "error", {"law": law, **errors, "K⁴": law[0] * (K / K[0]) ** 4.0}, 1.0)


def of_images(found: Found) -> Iterator[pl.DataFrame]:
    """Means over replicates; distance of samples, Fréchet's, with least and greatest. Probe: accuracy; nll: nats of whitened
    latents, both held out; effective: components that suffice; error, coded: mean square and distance of held-out images.
    """
    t = found.one(Images)
    for name in KINDS:
        columns = ("probe", "nll", "effective", "intrinsic", "error", "coded")
        x = {column: [t.array(column, axis="run", name=name).mean()] for column in columns}
        yield curve(x, {"distance": t.array("distance", axis="run", name=name)[:, None]}, series=name)


def of_samples(found: Found) -> Iterator[pl.DataFrame]:
    """Grey levels, mean over colours: nine held-out images, and nine samples of the first replicate."""
    yield found.one(Images).where(axis="pixel").select("name", "column", "row", "grey")


def tables(found: Found) -> Iterator[Table]:
    for figure, rows in zip(FIGURES, (of_codes, of_modes, of_images, of_samples), strict=True):
        yield from table(figure.table, figure.title, rows, found)


FIGURES: tuple[Figure | HeatMap, ...] = (
    Figure(STUDY, "Masking turns to what pixels share", "codes", Axis("ratio", "ratio of masking", log=False),
           Axis("value", "value", log=False), {"law": "theory", "trained": "learner"}, columns="code",
           rows="quantity", caption="Alignment and accuracy jump together, at the law's ratio."),
    Figure("modes", "Errors of scores are linear in modes", "modes", Axis("modes", "modes K"), Axis("error", "E|ŝ - s|²"),
           {"law": "theory", "K⁴": "asymptote", ...: "learner"}, caption="The published bound rises as K⁴."),
    Figure("images", "Probe accuracy and distance of samples", "images", Axis("probe", "probe accuracy", log=False),
           Axis("distance", "Fréchet distance of samples"), "simulation", caption="A point for each mask and weight of KL."),
    HeatMap("samples", "What is generated", "samples", Axis("column", "column"), Axis("row", "row"), Axis("grey", "grey"),
            columns="name", caption="Nine held-out images; then nine samples of each latent diffusion model, decoded."),
)  # fmt: skip


def summary(found: Found) -> str:
    w, count = found.config.linear.world, found.config.images.tokenizers
    at = switch_ratio(w.signal, w.spread, w.noise, max(w.nuisances))
    return (
        f"A linear masked autoencoder gives up its loudest lone pixel for what {w.spread} pixels share once more than {at:.3f} "
        f"are hidden. A score's error is linear in its modes. Images, {count} seeds: what masking does to latents and samples."
    )
