"""From counts to numbers: everything that `measure` says about a text, as it stands and as if it were in random order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import t as student

from twopart import _random
from twopart._checks import InputError
from twopart.findings import Shown
from twopart.fits import PitmanYorFit, pitman_yor
from twopart.fits.discrete_power_law import discrete_power_law
from twopart.tools.measure import entropy, forward
from twopart.tools.measure.burstiness import FEWEST, burstiness, squared_variation
from twopart.tools.measure.curves import heaps_slope, zipf_slope
from twopart.tools.measure.reading import Reading
from twopart.tools.measure.records import (
    Block,
    Bursts,
    Corpus,
    Discount,
    Entropy,
    Forward,
    Growth,
    Heaps,
    Missing,
    Order,
    Zipf,
)
from twopart.tools.measure.shuffled import Part, rarefied, thinned
from twopart.tools.measure.tally import Floats, Integers, Milestone, Spectrum, Tally

PARTS = 5  # random parts, for an interval
SMALLEST = 1000  # tokens of a part whose discount is told
SIZES = 8  # such parts, two a decade
ZIPF_FIRST, ZIPF_FEWEST = 10, 10


@dataclass(frozen=True)
class Measurement(Shown, told_by="twopart.tools.measure.report"):
    """What one text shows."""

    corpus: Corpus
    law: Discount
    """Of the whole text; the order of tokens does not matter to it."""
    part: Discount
    """Of a random part."""
    heaps: Heaps
    zipf: Zipf
    burstiness: float
    """Mean of B over the types seen at least ten times; nan if there is none."""
    growth: tuple[Growth, ...]
    """At twenty sizes a decade and at the end."""
    discounts: tuple[Discount, ...]
    """By size: random parts, then first parts."""
    forward: tuple[Forward, ...]
    """From a part to the whole: random and first, each by two estimators."""
    missing: tuple[Missing, ...]
    """What a random and a first part lack."""
    bursts: tuple[Bursts, ...]
    """By how often a type was seen."""
    entropy: tuple[Entropy, ...]
    blocks: tuple[Block, ...]
    """Of 1, 2, ... bytes, where asked for."""
    spectrum: Spectrum
    """How many types were seen how often."""

    def as_dict(self) -> dict[str, Any]:
        """In JSON's terms; what is not a finite number is None."""
        plain = _plain(asdict(self))
        assert isinstance(plain, dict)
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def evaluate(reading: Reading, share: float, seed: int) -> Measurement:
    """All of it; `share`, in (0, 1), of the text is the part that predictions are made from."""
    tally = reading.tally
    counts, whole = tally.counts, Spectrum.of(tally.counts)
    growth = tuple(_growth(tally, counts, whole))
    first = _first_part(tally, counts, share)
    parts = [_random_part(whole, first.spectrum.tokens, seed, k) for k in range(PARTS)]
    squares = tally.cyclic_squares()
    frequent = counts >= FEWEST
    b = burstiness(counts[frequent], squares[frequent], tally.tokens)
    law = _fit(whole)
    return Measurement(
        corpus=reading.corpus,
        law=_discount("random", law),
        part=_discount("random", _fit(parts[0].spectrum)),
        heaps=_heaps(growth),
        zipf=_zipf(whole),
        burstiness=float(b.mean()) if len(b) else math.nan,
        growth=growth,
        discounts=tuple(_discounts(tally, whole, law, seed)),
        forward=tuple(_forward(whole, parts, first)),
        missing=(_missing("random", parts[0]), _missing("file", first)),
        bursts=tuple(_bursts(counts[frequent], b, squares[frequent], tally.tokens)),
        entropy=tuple(_entropies(parts[0].spectrum, whole)),
        blocks=tuple(_blocks([one.spectrum() for one in reading.blocks])),
        spectrum=whole,
    )


def _first_part(tally: Tally, counts: Integers, share: float) -> Part:
    """The milestone nearest to `share` of the text, in file order."""
    found = _nearest(tally, share * tally.tokens)
    return Part(found.spectrum, _missing_after(tally, counts, found))


def _nearest(tally: Tally, tokens: float) -> Milestone:
    return min(tally.milestones, key=lambda stone: abs(math.log(stone.tokens / tokens)))


def _random_part(whole: Spectrum, tokens: int, seed: int, number: int) -> Part:
    """About as many tokens, picked at random."""
    return thinned(whole, tokens / whole.tokens, _random.generator(seed, "random part", tokens, number))


def _missing_after(tally: Tally, counts: Integers, stone: Milestone) -> float:
    """Share of the tokens behind the milestone that are of new types: those numbered from its `distinct` on."""
    rest = tally.tokens - stone.tokens
    return float(counts[stone.distinct :].sum() / rest) if rest else math.nan


def _growth(tally: Tally, counts: Integers, whole: Spectrum) -> Iterator[Growth]:
    stones = tally.milestones
    if stones[-1].tokens < tally.tokens:
        stones = [*stones, Milestone(whole)]
    sizes = np.array([stone.tokens for stone in stones])
    random = rarefied(whole, sizes)
    columns = zip(stones, random.distinct, random.deviation, random.missing, strict=True)
    for stone, expected, deviation, missing in columns:
        yield Growth(
            tokens=stone.tokens,
            file=stone.distinct,
            random=float(expected),
            deviation=float(deviation),
            file_missing=_missing_after(tally, counts, stone),
            file_good_turing=forward.good_turing(stone.spectrum)[0],
            random_missing=float(missing),
        )


def _heaps(growth: tuple[Growth, ...]) -> Heaps:
    sizes = [row.tokens for row in growth]
    file, random = [row.file for row in growth], [row.random for row in growth]
    return Heaps(*(heaps_slope(sizes, curve, factor) for factor in (10, 2) for curve in (file, random)))


def _zipf(whole: Spectrum) -> Zipf:
    head = zipf_slope(whole, ZIPF_FIRST, ZIPF_FEWEST), ZIPF_FIRST, ZIPF_FEWEST
    try:
        tail = discrete_power_law(whole.sizes, whole.types)
    except InputError:  # no two different counts, or a likelihood without maximum
        return Zipf(*head, math.nan, math.nan, 0, 0)
    return Zipf(*head, tail.exponent, tail.exponent_error, tail.xmin, tail.tail)


def _fit(spectrum: Spectrum) -> PitmanYorFit:
    return pitman_yor(spectrum.sizes, spectrum.types)


def _discount(order: Order, fit: PitmanYorFit) -> Discount:
    d = fit.discount
    return Discount(
        order=order,
        tokens=fit.tokens,
        distinct=fit.types,
        discount=d,
        discount_error=fit.discount_error,
        concentration=fit.concentration,
        concentration_error=fit.concentration_error,
        data_exponent=1 - d,
        capacity_exponent=1 / d - 1 if d > 0 else math.inf,
    )


def _discounts(tally: Tally, whole: Spectrum, law: PitmanYorFit, seed: int) -> Iterator[Discount]:
    """Of parts at two sizes a decade, and of the whole, where they have a discount."""
    sizes = tally.tokens * 10.0 ** (-np.arange(SIZES, 0, -1) / 2)
    stones = [_nearest(tally, size) for size in sizes if size >= SMALLEST]
    random = [_random_part(whole, stone.tokens, seed, 0).spectrum for stone in stones]
    by_order: tuple[tuple[Order, list[Spectrum]], ...] = (("random", random), ("file", [s.spectrum for s in stones]))
    for order, spectra in by_order:
        for spectrum in spectra:
            try:
                yield _discount(order, _fit(spectrum))
            except InputError:  # one type only, or no type twice: no law is more likely than all others
                continue
        yield _discount(order, law)


def _forward(whole: Spectrum, parts: list[Part], first: Part) -> Iterator[Forward]:
    by_order: tuple[tuple[Order, list[Part]], ...] = (("random", parts), ("file", [first]))
    for order, some in by_order:
        spectra = [part.spectrum for part in some]
        tokens = round(np.mean([spectrum.tokens for spectrum in spectra]))
        laws = np.array([_by_law(spectrum, whole.tokens) for spectrum in spectra])
        toulmin = np.array([_by_series(spectrum, whole.tokens) for spectrum in spectra])
        yield _judged(order, "Pitman-Yor", tokens, laws, whole.distinct)
        yield _judged(order, "Good-Toulmin", tokens, toulmin, whole.distinct)


def _by_law(spectrum: Spectrum, tokens: int) -> float:
    """Expected types among `tokens`, given those of a part and the law fitted to it; nan where it has none."""
    try:
        fit = _fit(spectrum)
    except InputError:
        return math.nan
    more = tokens - spectrum.tokens
    return spectrum.distinct + forward.pitman_yor_new(fit.discount, fit.concentration, fit.tokens, fit.types, more)


def _by_series(spectrum: Spectrum, tokens: int) -> float:
    return spectrum.distinct + forward.good_toulmin(spectrum, tokens / spectrum.tokens - 1)


def _judged(
    order: Order, estimator: Literal["Pitman-Yor", "Good-Toulmin"], tokens: int, predicted: Floats, actual: int
) -> Forward:
    excess = predicted / actual - 1
    reach = student.ppf(0.975, len(excess) - 1) * excess.std(ddof=1) / math.sqrt(len(excess)) if len(excess) > 1 else 0
    middle = float(excess.mean())
    interval = (middle - float(reach), middle + float(reach)) if len(excess) > 1 else None
    return Forward(order, estimator, tokens, float(predicted.mean()), actual, middle, interval)


def _missing(order: Order, part: Part) -> Missing:
    spectrum = part.spectrum
    try:
        fit = _fit(spectrum)
        by_law = forward.pitman_yor_missing_mass(fit.discount, fit.concentration, fit.tokens, fit.types)
    except InputError:
        by_law = math.nan
    return Missing(order, spectrum.tokens, *forward.good_turing(spectrum), by_law, part.missing_mass)


def _bursts(counts: Integers, b: Floats, squares: Floats, tokens: int) -> Iterator[Bursts]:
    """In bands of half a decade of counts."""
    variation = squared_variation(counts, squares, tokens)
    band = np.floor(2 * np.log10(counts) + 1e-9).astype(int)
    for number in np.unique(band):
        inside = band == number
        least, most = (math.ceil(10 ** ((number + step) / 2) - 1e-9) for step in (0, 1))
        means = float(b[inside].mean()), float(variation[inside].mean())
        yield Bursts(least, most - 1, int(inside.sum()), *means)


def _entropies(part: Spectrum, whole: Spectrum) -> Iterator[Entropy]:
    for name in ("plug_in", "miller_madow", "grassberger", "chao_shen"):
        estimator = getattr(entropy, name)
        yield Entropy(name.replace("_", "-"), estimator(part), estimator(whole))
    yield Entropy("Pitman-Yor", _entropy_by_law(part), _entropy_by_law(whole))


def _entropy_by_law(spectrum: Spectrum) -> float:
    try:
        fit = _fit(spectrum)
    except InputError:
        return math.nan
    return entropy.pitman_yor(spectrum, fit.discount, fit.concentration)


def _blocks(spectra: list[Spectrum]) -> Iterator[Block]:
    shorter = 0.0
    for size, spectrum in enumerate(spectra, 1):
        if spectrum.tokens == 0:
            return
        bits = entropy.grassberger(spectrum)
        once = spectrum.seen(1) / spectrum.tokens
        yield Block(size, spectrum.distinct, once, entropy.plug_in(spectrum), bits, bits - shorter)
        shorter = bits
