"""twopart: a laboratory for the laws of learning. Each study predicts with a theory, measures with a learner, and judges.

    worlds    what the data is: generative models with a known truth
    codes     what it costs to say it, in bits: the oracle's code, the best learner's code
    laws      what theory predicts: curves as functions of a world
    learners  who learns it: models and their training (needs torch, and is the only part that imports it)
    fits      what measurements say: estimators with intervals
    studies   where prediction and measurement meet: one file per study, config -> Findings
    tools     the same on your own data: measure text, fit runs, plan
    lab       where a study runs: run folder, cells, worker processes
    report    Findings -> tables, figures, one self-contained page

    import twopart as tp
    world = tp.worlds.SyntaxKnowledge(discount=0.5)
    tp.codes.bayes_code(world.sample(100_000)).mean()         # bits per sentence, by role
    tp.studies.run("data-law", preset="tiny").claims

Subpackages load when first used, so `import twopart` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twopart import codes, fits, lab, laws, learners, report, studies, tools, worlds

    __version__: str

__all__ = ["__version__", "codes", "fits", "lab", "laws", "learners", "report", "studies", "tools", "worlds"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("twopart")
    if name in __all__:
        return import_module(f"twopart.{name}")
    raise AttributeError(f"module 'twopart' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
