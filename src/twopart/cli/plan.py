"""`twopart plan`: what to train under a fitted law, or which facts a model of a size will know.

`twopart plan fine-tune` is a command of its own: plan_fine_tune.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from twopart._checks import InputError
from twopart.cli import plan_fine_tune
from twopart.cli.page import check_folder
from twopart.cli.parsing import parse
from twopart.cli.plan_page import MARKER, Number, show

if TYPE_CHECKING:
    from twopart.findings import Findings, Table
    from twopart.tools.plan import TrainingPlan

    Shown = tuple[list[str], tuple[Table, ...], Callable[[], Findings]]

TRAINING = ("flops", "tokens", "loss", "max_tokens", "serve_tokens", "bits", "batches", "per_device")
SWEPT = ("params", "tokens", "per_device")
KNOWLEDGE = ("discount", "concentration", "facts_bits", "bits_per_param", "statements", "exposures", "rare")
LEARNER = ("width", "rate", "batch")


@dataclass(frozen=True)
class Options:
    """What to train: a law and one of --flops, --params, --tokens, --loss.
    Or up to which batch size more devices pay: a batch.json of `twopart fit --form batch`.
    Or what a model of a size will know: --discount, --facts-bits, --params.
    Or what to replay while a model is taught new facts: see `twopart plan fine-tune --help`.

    Examples:
      twopart plan runs/fit/law.json --flops 1e24
      twopart plan runs/fit/law.json --loss 2.1 --serve-tokens 1e13
      twopart plan runs/fit/law.json --flops 1e24 --max-tokens 1e12 --out runs/plan
      twopart plan runs/batch/batch.json --per-device 32
      twopart plan --discount 0.46 --facts-bits 6 --params 1e9 --bits-per-param 2
      twopart plan --discount 0.46 --facts-bits 6 --params 1e6 --statements 1e9 --exposures 15 --rare 1e-12
      twopart plan --discount 0.5 --facts-bits 6 --params 5e3 --statements 1e6 --learner l.json --width 16 --rate .01 --batch 64
    """

    law: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="LAW")] = None
    """A law.json of `twopart fit`, or its batch.json."""
    flops: Number = None
    """Training compute, in floating-point operations."""
    params: Number = None
    """Size of the model, in parameters."""
    tokens: Number = None
    """Training tokens."""
    loss: Number = None
    """Loss to reach, in the law's unit."""
    max_tokens: Number = None
    """Distinct tokens that there are: beyond them data repeats."""
    serve_tokens: Number = None
    """Tokens that the model will serve: the cheapest to train and serve is smaller than the cheapest to train."""
    bits: Number = None
    """Precision of training in bits, for a law of the form precision."""
    batches: Annotated[
        Path | None, tyro.conf.DisallowNone, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: none)")
    ] = None
    """A batch.json: adds to a training plan the batch size beyond which more devices do not pay."""
    per_device: Number = None
    """Examples of a batch that a device holds, for a batch.json."""
    discount: Number = None
    """Knowledge: discount of the facts' Pitman-Yor frequencies, in [0, 1); `twopart measure` finds that of a text."""
    concentration: Number = None
    """Knowledge: their concentration, > -discount (default: 1)."""
    facts_bits: Number = None
    """Knowledge: bits of a fact, > 0: log2 of the number of values it may have."""
    bits_per_param: Number = None
    """Knowledge: bits of knowledge that a parameter holds (default: 2)."""
    statements: Number = None
    """Knowledge: statements of facts in the training data; without it, only the room limits what is known."""
    exposures: Number = None
    """Knowledge: how often a fact must be stated to be learned (default: 1)."""
    rare: Number = None
    """Knowledge: share of the statements that a rare fact has; says how much more often it must be stated."""
    learner: Annotated[
        Path | None, tyro.conf.DisallowNone, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: none)")
    ] = None
    """Knowledge: a learner's own two numbers, saved by `fit_learner(...).save`, instead of --bits-per-param and --exposures."""
    width: Number = None
    """Learner: width of the residual stream."""
    rate: Number = None
    """Learner: learning rate."""
    batch: Number = None
    """Learner: statements of an update."""
    out: Annotated[
        Path | None, tyro.conf.DisallowNone, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: none)")
    ] = None
    """Write a page into this folder, which must be new or that of an earlier plan."""

    def __post_init__(self) -> None:
        if (self.law is None) == (self.discount is None):
            raise InputError("name a law.json for a training plan, or --discount for a knowledge plan, and not both")
        odd = (*KNOWLEDGE, "learner", *LEARNER) if self.law is not None else TRAINING
        if strange := [name for name in odd if getattr(self, name) is not None]:
            kind = "training" if self.law is not None else "knowledge"
            raise InputError(
                f"--{strange[0].replace('_', '-')} is of no use to a {kind} plan; see `twopart plan --help`"
            )
        if self.discount is not None and (self.facts_bits is None or self.params is None):
            raise InputError("a knowledge plan needs --facts-bits and --params; 6 bits are one of 64 values")
        if self.law is None:
            self._check_learner()

    def _check_learner(self) -> None:
        needed, assumed = (*LEARNER, "statements"), ("bits_per_param", "exposures", "rare")
        given, missing = (
            [n for n in names if (getattr(self, n) is None) == none]
            for names, none in ((assumed, False), (needed, True))
        )
        if self.learner is None and (odd := [name for name in LEARNER if name not in missing]):
            raise InputError(f"--{odd[0]} is of use with --learner alone; name the file of a learner's numbers")
        if self.learner is not None and missing:
            raise InputError(f"a learner's plan needs --{missing[0]}; see `twopart plan --help`")
        if self.learner is not None and given:
            raise InputError(f"--{given[0].replace('_', '-')} is what a learner's numbers foretell; leave it out")


def main(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] == "fine-tune":
        return plan_fine_tune.main(arguments[1:])
    options = parse(Options, arguments, "twopart plan", Options.__doc__ or "")
    if options.out is not None:
        check_folder(options.out, MARKER)
    kind, plan = _plan(options)
    given = {name: value for name, value in asdict(options).items() if value is not None and name != "out"}
    paths = {name: str(value) for name, value in given.items() if isinstance(value, Path)}
    show(*plan, options.out, {"plan": kind, **given, **paths})
    return 0


def _plan(options: Options) -> tuple[str, Shown]:
    if options.law is None:
        return "knowledge", _knowledge(options)
    from twopart.tools.fit.batches import written

    if written(options.law) is not None:
        return "batches", _batches(options, options.law)
    return "training", _training(options, options.law)


def _batches(options: Options, path: Path) -> Shown:
    from twopart.tools.fit import BatchFit
    from twopart.tools.plan.batches import findings, plan_batches, sentences, tables

    if odd := [name for name in TRAINING if name not in SWEPT and getattr(options, name) is not None]:
        raise InputError(
            f"--{odd[0].replace('_', '-')} is of no use to a plan of batch sizes; see `twopart plan --help`"
        )
    plan = plan_batches(BatchFit.read(path), **{name: getattr(options, name) for name in SWEPT})
    return list(sentences(plan)), tables(plan), lambda: findings(plan)


def _training(options: Options, path: Path) -> Shown:
    from twopart.fits.scaling import Law
    from twopart.tools.plan import plan_training
    from twopart.tools.plan.training_findings import findings, sentences, tables

    goals = {name: getattr(options, name) for name in ("flops", "params", "tokens", "loss")}
    if sum(value is not None for value in goals.values()) != 1:
        raise InputError("a training plan needs exactly one of --flops, --params, --tokens, --loss; name what is given")
    others = {name: getattr(options, name) for name in ("max_tokens", "serve_tokens", "bits")}
    if options.batches is None and options.per_device is not None:
        raise InputError("--per-device needs the sweeps over batch sizes; name their batch.json with --batches")
    plan = plan_training(Law.read(path), **goals, **others)
    said = [*sentences(plan), *_devices(options, plan)]
    return said, tables(plan), lambda: replace(findings(plan), summary="\n\n".join(said))


def _devices(options: Options, plan: TrainingPlan) -> list[str]:
    """Up to which batch size more devices pay for the run that is planned."""
    if options.batches is None:
        return []
    from twopart.tools.fit import BatchFit
    from twopart.tools.plan.batches import foretold, plan_batches

    best = {"params": plan.best.params, "tokens": plan.best.tokens}
    sizes = {name: one.value for name, one in best.items() if one is not None}
    return [foretold(plan_batches(BatchFit.read(options.batches), per_device=options.per_device, **sizes))]


def _learner(options: Options, path: Path) -> Shown:
    from twopart.laws.knowledge import LearnerFit
    from twopart.tools.plan.learner import findings, plan_learner, sentences, tables

    names = ("discount", "concentration", "facts_bits", "params", "statements", "width", "rate", "batch")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    given["batch"] = int(given["batch"]) if given["batch"] == int(given["batch"]) else given["batch"]
    plan = plan_learner(LearnerFit.load(path), **given)
    return sentences(plan), tables(plan), lambda: findings(plan)


def _knowledge(options: Options) -> Shown:
    if options.learner is not None:
        return _learner(options, options.learner)
    from twopart.tools.plan import plan_knowledge
    from twopart.tools.plan.knowledge_findings import findings, sentences, tables

    names = ("params", *KNOWLEDGE)
    given = {name: value for name in names if name != "rare" and (value := getattr(options, name)) is not None}
    plan = plan_knowledge(**given)
    return list(sentences(plan, options.rare)), tables(plan), lambda: findings(plan, options.rare)
