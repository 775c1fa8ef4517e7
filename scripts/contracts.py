"""Rules of the house that import-linter lacks; pyproject.toml states them, `make check` holds them.

OpenFolders  no module imports a package that it stands in. With `acyclic_siblings` it lets no circle of modules pass; that one
             compares neighbours, and does not see who stands in a folder and asks the face that imports him
Rooms        no theory's room imports another theory's, on whatever floor; what a floor shares imports no room of it
Studies      no study imports another

Theories are what folders stand on the floors, so a new one is held to the rules from its first file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.application import contract_utils

ROOT = "twopart"


class _Imports(Contract):
    """A contract that some imports break, each by itself."""

    ignore_imports = fields.SetField(subfield=fields.ImportExpressionField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        del verbose
        removed = contract_utils.remove_ignored_imports_and_report(
            graph=graph,
            ignore_imports=self.ignore_imports,
            unmatched_alerting=contract_utils.AlertLevel.WARN,
        )
        arrows = [(one, two) for one in graph.modules for two in graph.find_modules_directly_imported_by(one)]
        broken = sorted(self.broken(graph, arrows))
        metadata = {"broken": broken}
        return ContractCheck(
            kept=not broken,
            warnings=list(removed.warnings),
            ignored_import_count=removed.ignored_import_count,
            metadata=metadata,
        )

    def broken(self, graph: ImportGraph, arrows: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        raise NotImplementedError

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported in check.metadata["broken"]:
            output.print_error(f"{importer} imports {imported}: {self.remedy}")

    remedy = ""


class OpenFolders(_Imports):
    """Fails on every import of `a.b` by `a.b.c`, however deep `c` is."""

    type_name = "open_folders"
    remedy = "it stands in it; import the file that has what it needs"

    def broken(self, graph: ImportGraph, arrows: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        return (arrow for arrow in arrows if arrow[0].startswith(f"{arrow[1]}."))


class Rooms(_Imports):
    """A room is a folder of a floor, and its name the theory's. A floor's face may import all of its rooms."""

    type_name = "rooms"
    floors = fields.ListField(subfield=fields.StringField())
    core = fields.StringField()
    """The theory that `serve_the_core` may import."""
    serve_the_core = fields.ListField(subfield=fields.StringField(), required=False)
    remedy = "another theory's room; what two theories need is a file of the floor, or of the ground"

    def broken(self, graph: ImportGraph, arrows: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        theories = _theories(graph, self.floors)
        own: Any = dict.fromkeys(self.serve_the_core or (), self.core)
        for importer, imported in arrows:
            entered = _part(imported, 2) if _part(imported, 1) in self.floors else None
            if entered not in theories:
                continue
            floor, room = _part(importer, 1), _part(importer, 2)
            if floor in own:
                room = own[floor]
            elif floor not in self.floors and room not in theories:
                continue  # tools, commands, studies outside a theory's room
            if room is not None and room != entered:
                yield importer, imported


class Studies(_Imports):
    """A study is a file in a theory's room of studies/, with the one of its cells; what begins with `_` is shared."""

    type_name = "studies"
    floors = fields.ListField(subfield=fields.StringField())
    """Where the theories are found."""
    remedy = "another study; what two studies need moves down, to the floor that it is about"

    def broken(self, graph: ImportGraph, arrows: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        theories = _theories(graph, self.floors)
        for arrow in arrows:
            one, two = (_study(module, theories) for module in arrow)
            if one and two and one != two:
                yield arrow


def _theories(graph: ImportGraph, floors: Any) -> set[str]:
    """The names of the folders on the floors."""
    rooms = (room for floor in floors for room in graph.find_children(f"{ROOT}.{floor}") if graph.find_children(room))
    return {name for room in rooms if not (name := room.rpartition(".")[2]).startswith("_")}


def _part(module: str, index: int) -> str | None:
    return parts[index] if len(parts := module.split(".")) > index else None


def _study(module: str, theories: set[str]) -> str | None:
    """The study that a module belongs to, if it is one's; that of `<study>_cells` is `<study>`."""
    if _part(module, 1) != "studies":
        return None
    name = _part(module, 3) if _part(module, 2) in theories else _part(module, 2)
    return None if name is None or name.startswith("_") else name.removesuffix("_cells")
