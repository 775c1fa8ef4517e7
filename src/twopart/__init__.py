"""twopart: a laboratory for the laws of learning. Each study predicts with a theory, measures with a learner, and judges.

    worlds    what the data is: generative models with a known truth
    laws      what theory predicts: curves as functions of a world
    learners  who learns it: models, their training, and methods to import (needs torch)
    codes     what it costs to say it, in bits: the oracle's code, the best learner's code
    fits      what measurements say: estimators with intervals
    lossless  files that decompress: any bytes, at the cost that a model gives them
    evidence  from what was measured to verdicts: estimates with intervals, judges, claims
    studies   where prediction and measurement meet: one file per study, config -> Findings
    tools     the same on your own data: measure text, fit runs, plan
    lab       where a study runs: run folder, cells, worker processes
    report    Findings -> tables, figures, one self-contained page

    import twopart as tp
    world = tp.worlds.SyntaxKnowledge(discount=0.5)
    tp.codes.bayes_code(world.sample(100_000)).mean()         # bits per sentence, by role
    tp.laws.features.feature_averaging                        # worlds, laws and learners have a room per theory; the core's
    tp.studies.run("data-law", preset="tiny").claims          # names, those of knowledge, are on the floor's face as well

Subpackages load when first used, so `import twopart` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twopart._lazy import late

if TYPE_CHECKING:
    from twopart import codes, evidence, fits, lab, laws, learners, lossless, report, studies, tools, worlds

    __version__: str

_FLOORS = ["codes", "evidence", "fits", "lab", "laws", "learners", "lossless", "report", "studies", "tools", "worlds"]
__all__ = [
    "__version__",
    "codes",
    "evidence",
    "fits",
    "lab",
    "laws",
    "learners",
    "lossless",
    "report",
    "studies",
    "tools",
    "worlds",
]

_find, __dir__ = late(__name__, __all__, rooms=_FLOORS)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("twopart")
    return _find(name)
