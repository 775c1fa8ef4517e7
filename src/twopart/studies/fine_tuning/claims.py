"""The claims of the fine-tuning study. Every rule and margin stands here and was set before the runs that it judges."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from twopart.findings import Claim
from twopart.fits import Estimate, bootstrap, slope
from twopart.studies.fine_tuning.evidence import Evidence, Replicate

LEVEL = 0.95
SLOPE_MARGIN = 0.2
"""What an exponent may be off by, as in the acquisition study."""
FREE = 0.05
"""Bits per sentence below which a format costs nothing."""
PRICE_MARGIN = 1.5
"""A number of examples is predicted if it is met within this factor."""
TRANSFERRED = 0.9
"""A fact is a fact: this share of those known comes out in the new format."""
AT_ONCE = 2.0
"""Largest factor between the doses at which half and nine tenths of the facts are known."""
ORDER = 0.5
"""Somers' D above this counts as the rarest first: of two facts, in 75 of 100 cases."""
FEW = 0.05
"""A share below which forgetting counts as none."""
BACK = 0.5
"""Share of what was forgotten that a short repetition brings back."""
LAW_MARGIN = 0.1
"""Largest root mean square difference between measured and predicted shares of facts."""
KEPT = 0.95
"""Share of the old facts that a model with room keeps if anything at all is replayed."""

LAW = "docs/laws/finetuning.md"
CAPACITY = "docs/laws/capacity.md"
BIDERMAN = "Biderman et al. 2024, arXiv 2405.09673"
GEKHMAN = f"Gekhman et al. 2024, arXiv 2405.05904; prediction: {LAW}"
INTERVAL = f"{LEVEL:.0%} bootstrap interval over replicates"


def format_falls_as_one_over_n(evidence: Evidence) -> Claim:
    """Exponent of the new format's redundancy over the last sixteenfold."""
    falls = evidence.each(lambda r: np.log(np.maximum(r.format().redundancy[-5:], 1e-9)))
    n = evidence.replicates[0].format().moments[-5:]
    estimate = bootstrap(lambda mean: slope(n, np.exp(mean)), falls, level=LEVEL)
    return Claim(
        f"{evidence.label}: a new format is bought at 1/n.",
        predicted=-1.0,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="slope of ln(redundancy of the new format's templates) on ln(examples) over the last sixteenfold; "
        f"holds if the {INTERVAL} lies within {SLOPE_MARGIN} of the prediction, fails if wholly outside",
        verdict=estimate.equivalent_to(-1.0, SLOPE_MARGIN),
        source=LAW,
        unit="log-log slope",
    )


def format_price_predicted(evidence: Evidence) -> Claim:
    """Examples until the format costs nothing, from exposures measured at an eighth of the run."""
    logs = evidence.each(lambda r: np.log(_measured_price(r) / _predicted_price(r)))
    estimate = bootstrap(lambda mean: float(mean), logs, level=LEVEL)
    ratio = estimate.exp()
    exposures = float(np.exp(evidence.each(lambda r: np.log(_exposures(r))).mean()))
    return Claim(
        f"{evidence.label}: exposures counted early predict after how many examples the format costs nothing.",
        predicted=1.0,
        measured=ratio.value,
        interval=ratio.bounded,
        rule=f"examples until the templates cost less than {FREE} bits, over those of the law, n/T; T = {exposures:.3g} comes "
        f"from the redundancy after an eighth of the run; holds if the {INTERVAL} lies within a factor of {PRICE_MARGIN}, "
        "fails if wholly outside; never reached: inconclusive",
        verdict=estimate.equivalent_to(0.0, float(np.log(PRICE_MARGIN))),
        source=LAW,
        unit="ratio",
    )


def transfers(evidence: Evidence, replay: float) -> Claim:
    """Facts of entities never asked in the new format."""
    estimate = _of(evidence, lambda r: r.format(replay).transfer)
    return Claim(
        f"{evidence.label}, {replay:.0%} replay: facts of entities never asked in the new format come out in it.",
        predicted=1.0,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="facts known in the new format after fine-tuning over facts known in the old one before, of the entities that no "
        f"example speaks of; holds if the {INTERVAL} lies above {TRANSFERRED}, fails if below",
        verdict=estimate.above(TRANSFERRED),
        source=LAW,
        unit="ratio",
    )


def all_or_nothing(evidence: Evidence) -> Claim:
    """Doses at which half and nine tenths of the new facts are known."""
    estimate = _of(evidence, lambda r: np.log(r.dosed.dose(0.9) / r.dosed.dose(0.5)))
    ratio = estimate.exp()
    return Claim(
        f"{evidence.label}: a new fact is bought whole from a number of exposures on, the same for all.",
        predicted=1.0,
        measured=ratio.value,
        interval=ratio.bounded,
        rule="exposures at which nine tenths of the facts are known over those at which half are, every fact of a dose told "
        f"equally often; holds if the {INTERVAL} lies below {AT_ONCE:g}, fails if above",
        verdict=ratio.below(AT_ONCE),
        source=LAW,
        unit="ratio",
    )


def room_makes_facts_cheap(small: Evidence, large: Evidence) -> Claim:
    """Exposures for half of the facts, in a full model and in one with room."""
    pairs = zip(small.replicates, large.replicates, strict=True)
    logs = np.array([np.log(a.dosed.dose(0.5) / b.dosed.dose(0.5)) for a, b in pairs])
    estimate = bootstrap(lambda mean: float(mean), logs, level=LEVEL)
    ratio = estimate.exp()
    return Claim(
        f"A full model ({small.label}) needs more exposures for a new fact than one with room ({large.label}).",
        predicted=None,
        measured=ratio.value,
        interval=ratio.bounded,
        rule="ratio of the exposures at which half of the facts are known; "
        f"holds if the {INTERVAL} lies above 1, fails if below",
        verdict=estimate.above(0.0),
        source=CAPACITY,
        unit="ratio",
    )


def rarest_first(evidence: Evidence, replay: float) -> Claim:
    """Order in which old facts are forgotten."""
    estimate = _of(evidence, lambda r: r.facts(replay).order)
    return Claim(
        f"{evidence.label}, {replay:.0%} replay: the rarest old facts are forgotten first.",
        predicted=1.0,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="Somers' D of a fact's frequency and the last moment at which it is known, over old facts known before; "
        f"holds if the {INTERVAL} lies above {ORDER}, fails if below",
        verdict=estimate.above(ORDER),
        source=LAW,
        unit="Somers' D",
    )


def room_protects(evidence: Evidence) -> Claim:
    """What a model with room forgets without replay."""
    estimate = _of(evidence, lambda r: 1 - r.facts().kept[-1])
    return Claim(
        f"{evidence.label}, no replay: a model with room for both writes new facts beside the old ones.",
        predicted=0.0,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="share of the old facts known before that is forgotten at the end; 0 is what room allows, though without replay "
        f"the law promises nothing; holds if the {INTERVAL} lies below {FEW}, fails if above",
        verdict=estimate.below(FEW),
        source=LAW,
        unit="share of facts",
    )


def recovers(evidence: Evidence) -> Claim:
    """What comes back when the old sentences are read again."""
    run = evidence.replicates[0].facts()
    n = run.cell.recovery[1]
    estimate = _of(evidence, lambda r: r.facts().recovered(n))
    return Claim(
        f"{evidence.label}: half of what was forgotten is back after {n:,} old sentences "
        f"({n / run.cell.start.sentences:.1%} of pretraining).",
        predicted=None,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="share of the old facts known before and not after fine-tuning without replay that is known again; holds if the "
        f"{INTERVAL} lies above {BACK}, fails if below",
        verdict=estimate.above(BACK),
        source="this study",
        unit="share of facts",
    )


def replay_keeps_what_the_law_says(evidence: Evidence) -> Claim:
    """Old facts kept against the law's share, over shares of replay."""
    return _law_met(evidence, 0, lambda r, replay: r.facts(replay).kept[-1], "old facts are kept", "old facts kept")


def new_facts_as_the_law_says(evidence: Evidence) -> Claim:
    """New facts known against the law's share, over shares of replay."""
    return _law_met(
        evidence, 1, lambda r, replay: r.facts(replay).known("new").mean(), "new facts are learned", "new facts known"
    )


def any_replay_protects(evidence: Evidence) -> Claim:
    """Old facts kept at the smallest share of replay."""
    least = evidence.replicates[0].replays[1]
    estimate = _of(evidence, lambda r: r.facts(least).kept[-1])
    law = float(evidence.each(lambda r: r.law(np.array([least]))[0][0]).mean())
    return Claim(
        f"{evidence.label}: where there is room, {least:.0%} of replay keeps the old facts.",
        predicted=law,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"share of the old facts known before that is known at the end; holds if the {INTERVAL} lies above {KEPT}, "
        "fails if below",
        verdict=estimate.above(KEPT),
        source=LAW,
        unit="share of facts",
    )


def lora_learns_less(evidence: Evidence, rank: int) -> Claim:
    """New facts known on the way, all weights against LoRA."""
    estimate = _of(evidence, lambda r: float(np.mean(r.facts().share("new")[1:] - r.facts(rank=rank).share("new")[1:])))
    return _lora(evidence, rank, "learns less", estimate, "new facts known: all weights less LoRA")


def lora_forgets_less(evidence: Evidence, rank: int) -> Claim:
    """Old facts kept on the way, LoRA against all weights."""
    estimate = _of(evidence, lambda r: float(np.mean(r.facts(rank=rank).kept[1:] - r.facts().kept[1:])))
    return _lora(evidence, rank, "forgets less", estimate, "old facts kept: LoRA less all weights")


def lora_keeps_more_for_what_it_learns(evidence: Evidence, rank: int) -> Claim:
    """Old facts kept by the time half of the new ones are known, LoRA against all weights."""
    estimate = _of(evidence, lambda r: r.facts(rank=rank).kept_at(0.5) - r.facts().kept_at(0.5))
    return Claim(
        f"{evidence.label}: LoRA of rank {rank} forgets less than all weights by the time it has learned as much.",
        predicted=None,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="old facts kept when half of the new ones are known, between moments by interpolation: LoRA less all weights; "
        f"holds if the {INTERVAL} lies above 0, fails if below",
        verdict=estimate.above(0.0),
        source=BIDERMAN,
        unit="share of facts",
    )


def strangers_invented(evidence: Evidence) -> Claim:
    """Confident wrong answers about facts never told."""
    return _invented(evidence, "stranger", "facts that nobody ever told")


def old_facts_invented(evidence: Evidence) -> Claim:
    """Confident wrong answers about old facts."""
    return _invented(evidence, "old", "old facts")


def _invented(evidence: Evidence, asked: str, words: str) -> Claim:
    estimate = _of(evidence, lambda r: r.facts(0.0).confidently_wrong(asked) - r.facts(1.0).confidently_wrong(asked))
    return Claim(
        f"{evidence.label}: fine-tuning on unknown facts makes a model confidently wrong about {words}.",
        predicted=0.0,
        measured=estimate.value,
        interval=estimate.bounded,
        rule="share of questions answered wrongly with a confidence above 0.5, after fine-tuning on new facts without replay "
        "less after as many sentences of the old world; a calibrated model has 0 both ways (prediction); the claim holds if "
        f"the {INTERVAL} lies above 0, fails if below",
        verdict=estimate.above(0.0),
        source=GEKHMAN,
        unit="share of questions",
    )


def _lora(evidence: Evidence, rank: int, words: str, estimate: Estimate, what: str) -> Claim:
    return Claim(
        f"{evidence.label}: LoRA of rank {rank} {words} than fine-tuning of all weights, in as many steps at the same rate.",
        predicted=None,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"{what}, mean over all moments; holds if the {INTERVAL} lies above 0, fails if below",
        verdict=estimate.above(0.0),
        source=BIDERMAN,
        unit="share of facts",
    )


def _law_met(
    evidence: Evidence, which: int, measured: Callable[[Replicate, float], float], words: str, what: str
) -> Claim:
    """Root mean square difference over shares of replay between none and all."""
    replays = np.array(evidence.replicates[0].replays[1:-1])
    gaps = evidence.each(lambda r: np.array([measured(r, float(x)) for x in replays]) - r.law(replays)[which])
    estimate = bootstrap(lambda mean: float(np.sqrt(np.mean(mean**2))), gaps, level=LEVEL)
    return Claim(
        f"{evidence.label}: whatever the share of replay, {words} as the law says.",
        predicted=0.0,
        measured=estimate.value,
        interval=estimate.bounded,
        rule=f"{what}: root mean square difference of the share measured, mean over replicates, and the law's, over shares of "
        f"replay from {replays[0]:.0%} to {replays[-1]:.0%}; holds if the {INTERVAL} lies below {LAW_MARGIN}, fails if above",
        verdict=estimate.below(LAW_MARGIN),
        source=LAW,
        unit="share of facts",
    )


def _exposures(replicate: Replicate) -> float:
    """T: how many times later than the law the learner has the redundancy that it has after an eighth of the run."""
    run = replicate.format()
    return run.moments[-4] / _law_examples(replicate, float(run.redundancy[-4]))


def _predicted_price(replicate: Replicate) -> float:
    return _exposures(replicate) * _law_examples(replicate, FREE)


def _measured_price(replicate: Replicate) -> float:
    """Examples after which the redundancy stays below `FREE`, in logarithms between moments; nan if it does not."""
    run = replicate.format()
    above = np.flatnonzero(run.redundancy >= FREE)
    if len(above) == 0 or above[-1] in (0, len(run.moments) - 1):
        return float("nan")
    i = above[-1]
    x, y = np.log(run.moments[i : i + 2]), np.log(np.maximum(run.redundancy[i : i + 2], 1e-9))
    return float(np.exp(np.interp(-np.log(FREE), -y, x)))


def _law_examples(replicate: Replicate, redundancy: float) -> float:
    """Examples after which the law has this redundancy."""
    n, law = replicate.format_curve
    return float(np.exp(np.interp(-np.log(redundancy), -np.log(law), np.log(n))))


def _of(evidence: Evidence, statistic: Callable[[Replicate], float]) -> Estimate:
    return bootstrap(lambda mean: float(mean), evidence.each(statistic), level=LEVEL)
