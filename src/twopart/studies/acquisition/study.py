"""The acquisition study: cells out, evidence in, findings back."""

from __future__ import annotations

from collections.abc import Iterator

from twopart.findings import Claim, Findings, Table
from twopart.lab import Lab
from twopart.studies._ladder import estimate_runs, one_pass, shape, world_seed
from twopart.studies._study import Planned
from twopart.studies.acquisition import charts, claims, tables
from twopart.studies.acquisition.cells import LearnerCell, acquire
from twopart.studies.acquisition.config import Config
from twopart.studies.acquisition.evidence import Evidence, Run

CONTROL = "control"


def run(config: Config, lab: Lab) -> Findings:
    """Train, ask, compare."""
    groups = _groups(config, lab.seed)
    cells = [cell for group in groups.values() for cell in group]
    measured = dict(zip(cells, lab.map(acquire, cells, label="transformer", cost=_work), strict=True))
    evidence = {
        label: Evidence(
            label,
            shape(group[0].world, group[0].width, group[0].layers).parameters,
            tuple(Run.of(cell.world, measured[cell]) for cell in group),
        )
        for label, group in groups.items()
    }
    return _findings(evidence)


def plan(config: Config) -> list[Planned]:
    """The cells of a run, with estimates."""
    settings = one_pass(config.batch, config.learning_rate, config.warmup, config.hold, "cpu")
    return [
        estimate_runs(
            f"transformer, {label}",
            settings,
            cells[0].world,
            cells[0].width,
            config.layers,
            config.sentences,
            len(cells),
        )
        for label, cells in _groups(config, seed=0).items()
    ]


def _groups(config: Config, seed: int) -> dict[str, list[LearnerCell]]:
    """The training runs by label. All sizes read the same worlds, and the same sentences of them."""

    def cells(label: str, width: int, *, control: bool = False) -> list[LearnerCell]:
        kind = CONTROL if control else "natural"
        seeds = [world_seed(seed, "acquisition", kind, i) for i in range(config.seeds)]
        return [
            LearnerCell(
                label=f"{label}, replicate {i + 1}",
                world=config.world(world, control=control),
                sentences=config.sentences,
                snapshots=config.snapshots,
                asked=config.population if control else config.asked,
                layers=config.layers,
                width=width,
                batch=config.batch,
                learning_rate=config.learning_rate,
                warmup=config.warmup,
                hold=config.hold,
            )
            for i, world in enumerate(seeds)
        ]

    groups = {f"width {width}": cells(f"width {width}", width) for width in config.widths}
    return {**groups, CONTROL: cells(CONTROL, config.widths[-1], control=True)}


def _work(cell: LearnerCell) -> float:
    """About the matrix products of a sentence."""
    return cell.sentences * (100 + cell.width) * cell.layers


def _findings(evidence: dict[str, Evidence]) -> Findings:
    facts, thresholds, seen = tables.known(evidence), tables.thresholds(evidence), tables.seen(evidence)
    return Findings(
        title="Which fact is known when",
        summary=_summary(evidence),
        claims=tuple(_claims(evidence)),
        tables=(
            Table("known", "Share of facts known, by rank and sentences seen", facts, tables.KNOWN_CAPTION),
            Table("thresholds", "Down to which frequency facts are known", thresholds, tables.THRESHOLDS_CAPTION),
            Table("seen", "Redundancy by sentences seen", seen, tables.SEEN_CAPTION),
        ),
        charts=tuple(charts.figures(evidence, facts, thresholds)),
    )


def _claims(evidence: dict[str, Evidence]) -> Iterator[Claim]:
    sizes = [group for label, group in evidence.items() if label != CONTROL]
    narrow, wide, control = sizes[0], sizes[-1], evidence[CONTROL]
    yield claims.syntax_first(wide)
    yield claims.learned_in_order(wide)
    yield claims.threshold_falls(wide)
    yield claims.rank_predicted(wide)
    yield claims.threshold_is_sharp(wide)
    yield claims.larger_know_rarer(narrow, wide)
    yield claims.small_is_full(narrow, wide)
    yield claims.control_at_once(control)
    yield claims.control_late(control, wide)


def _summary(evidence: dict[str, Evidence]) -> str:
    kinds = ", ".join(evidence)
    sentences = int(next(iter(evidence.values())).sentences[-1])
    return (
        "Which fact does a learner know, and from when on? Theory says: syntax first, then facts by falling frequency, down "
        "to a sharp threshold that falls as 1/n while there is room. Transformers read each sentence of a natural sample "
        f"once, {sentences:,} in all, and are asked for every fact of the most frequent entities at moments in a geometric "
        f"row. A fact counts as known while more than half of its bits are. Runs: {kinds}; the control, read by the widest, "
        "has equally frequent facts."
    )
