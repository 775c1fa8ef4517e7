"""The rules of the house that import-linter lacks, on small houses that keep them or break them."""

from __future__ import annotations

import pytest

grimp = pytest.importorskip("grimp")
contracts = pytest.importorskip("scripts.contracts")

FLOORS = {"floors": ["worlds", "laws"]}
ROOMS = {**FLOORS, "core": "knowledge", "serve_the_core": ["codes"]}
HOUSE = (
    "twopart.worlds.knowledge.urns",
    "twopart.worlds.features.points",
    "twopart.laws.features.radius",
    "twopart.laws._moments",
    "twopart.codes.bayes",
    "twopart.tools.measure",
    "twopart.studies.features.mixup",
    "twopart.studies.features.noise",
    "twopart.studies.features._shared",
    "twopart.studies.scaling.cells",
    "twopart.studies.scaling.claims",
    "twopart.studies._study",
)


def holds(contract: type, options: dict[str, object], importer: str, imported: str) -> bool:
    graph = grimp.ImportGraph()
    for module in HOUSE:
        parts = module.split(".")
        for depth in range(1, len(parts) + 1):
            graph.add_module(".".join(parts[:depth]))
    graph.add_import(importer=f"twopart.{importer}", imported=f"twopart.{imported}")
    return bool(contract("a rule", {}, options).check(graph, verbose=False).kept)


@pytest.mark.parametrize(
    ("importer", "imported", "kept"),
    [
        ("laws.features.radius", "worlds.features.points", True),
        ("laws.features.radius", "worlds.knowledge.urns", False),
        ("laws.features.radius", "laws._moments", True),
        ("laws._moments", "laws.features.radius", False),
        ("laws", "laws.features", True),
        ("codes.bayes", "worlds.knowledge.urns", True),
        ("codes.bayes", "worlds.features.points", False),
        ("tools.measure", "worlds.features.points", True),
        ("studies.features.mixup", "laws.features.radius", True),
        ("studies.features.mixup", "worlds.knowledge.urns", False),
    ],
)
def test_a_room_enters_only_its_own_theorys_rooms(importer: str, imported: str, kept: bool) -> None:
    assert holds(contracts.Rooms, ROOMS, importer, imported) == kept


@pytest.mark.parametrize(
    ("importer", "imported", "kept"),
    [
        ("studies.features.mixup", "studies.features.noise", False),
        ("studies.features.mixup", "studies.features._shared", True),
        ("studies.features.mixup", "studies.scaling.cells", False),
        ("studies.scaling.claims", "studies.scaling.cells", True),
        ("studies.scaling.claims", "studies._study", True),
    ],
)
def test_no_study_imports_another(importer: str, imported: str, kept: bool) -> None:
    assert holds(contracts.Studies, FLOORS, importer, imported) == kept


def test_nobody_asks_the_folder_he_stands_in() -> None:
    assert not holds(contracts.OpenFolders, {}, "laws.features.radius", "laws")
    assert holds(contracts.OpenFolders, {}, "laws", "laws.features.radius")
