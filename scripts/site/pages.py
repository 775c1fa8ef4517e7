"""The pages that nobody writes by hand, and where each page stands: all from docs/, the package and its studies.

    Site(ROOT).generated()     path -> Markdown: start, how to choose, methods, gallery, the API room by room
    Site(ROOT).navigation()    what mkdocs.yml would call `nav`

A study that is added, with its law's page and its published run, appears in all of them.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from twopart.findings import tally
from twopart.studies._study import THEORIES, places

QUESTION = re.compile(r"^\*([^*].*?)\*$", re.M | re.S)
OPENING = re.compile(r"\A[^`]*?(```python\n.*?^```\n)", re.M | re.S)
PICTURE = re.compile(r"!\[[^\]]*\]\((figures/[^)]+\.svg)\)")
FIRST = ("index.md", "choose.md", "notebook.md", "writing-a-study.md")
PROJECT = ("LOG.md", "CHANGELOG.md", "dependencies.md")
Nav = list[Any]  # of pages, and of {title: pages}


@dataclass(frozen=True)
class Page:
    """A page of docs/."""

    path: str
    """From docs/."""
    text: str

    @property
    def title(self) -> str:
        return self.text.split("\n", 1)[0].lstrip("# ")

    @property
    def question(self) -> str:
        """What it answers: the line in italics that opens it, if there is one."""
        found = QUESTION.search(self.text[:1000])
        return found[1].replace("\n", " ") if found else ""

    @property
    def opening(self) -> str:
        """The lines of code that the page opens with, fenced."""
        found = OPENING.match(self.text.partition("\n## ")[0])
        return found[1] if found else ""


@dataclass(frozen=True)
class Face:
    """A public package or module: what its doc string says and which names it offers, read without importing it."""

    name: str
    doc: str
    names: dict[str, str]
    """Where each name comes from."""

    @property
    def path(self) -> str:
        return f"api/{self.name}.md"


class Site:
    """What docs/ and the package hold, as a site."""

    def __init__(self, root: Path) -> None:
        self.root, self.docs = root, root / "docs"

    def page(self, path: str) -> Page:
        return Page(path, (self.docs / path).read_text(encoding="utf-8"))

    def folder(self, name: str) -> list[Page]:
        return [self.page(str(path.relative_to(self.docs))) for path in sorted((self.docs / name).glob("*.md"))]

    @cached_property
    def laws(self) -> dict[str, list[Page]]:
        """The laws' pages by theory."""
        rooms: dict[str, list[Page]] = {theory: [] for theory in THEORIES}
        for page in self.folder("laws"):
            rooms[self.theory_of(page)].append(page)
        return rooms

    def theory_of(self, page: Page) -> str:
        """The theory of a law's study, or of the room that the page names. Raises `ValueError` where it names neither."""
        if study := self.study_of(page):
            return places()[study].theory
        named = re.findall(r"\b(?:tp|twopart)\.(?:laws|learners|worlds)\.(\w+)", page.text)
        if not (found := [room for room in named if room in THEORIES]):
            raise ValueError(f"{page.path} names no study; write which one looks at it: Study: `twopart run NAME`")
        return found[0]

    def study_of(self, page: Page) -> str | None:
        """The study that looks at a law: the first that its page names."""
        return next((name for name in re.findall(r"\btwopart run ([\w-]+)", page.text) if name in places()), None)

    def result(self, study: str | None) -> Page | None:
        """The page of a study's published run, if there is one."""
        return self.page(f"results/{study}/README.md") if (self.docs / f"results/{study}/README.md").exists() else None

    def figure_of(self, page: Page) -> str:
        """The main figure of a law's study, as Markdown to put into the law's page."""
        result = self.result(self.study_of(page))
        figure = PICTURE.search(result.text) if result else None
        if not result or not figure:
            return ""
        folder = f"../results/{self.study_of(page)}"
        return (
            f"![{result.title}]({folder}/{figure[1]})\n\n*[{result.title}]({folder}/README.md): the published run.*\n"
        )

    def generated(self) -> dict[str, str]:
        pages = {
            name: self.from_root(file) for name, file in (("index.md", "README.md"), ("CHANGELOG.md", "CHANGELOG.md"))
        }
        pages |= {"choose.md": self.choose(), "methods.md": self.methods(), "gallery.md": self.gallery()}
        return pages | {face.path: self.api(face) for face in self.faces}

    def navigation(self) -> Nav:
        guides = [page.path for page in self.folder("") if page.path not in FIRST + PROJECT]
        results = {name: page.path for name in places() if (page := self.result(name))}
        probe = [str(p.relative_to(self.docs)) for p in sorted((self.docs / "results").rglob("README.md"))]
        others = [path for path in probe if path not in results.values() and path != "results/README.md"]
        return [
            {"Start": ["index.md", "choose.md", "notebook.md", *guides]},
            {"Laws": [{room(t): [page.path for page in pages]} for t, pages in self.laws.items() if pages]},
            {"Methods": ["methods.md", *(page.path for page in self.folder("fits"))]},
            {"Tools": [page.path for page in self.folder("tools")]},
            {
                "Results": [
                    "gallery.md",
                    "results/README.md",
                    *_rooms(results),
                    *({"Tools": others} for _ in others[:1]),
                ]
            },
            {"Writing a study": ["writing-a-study.md"]},
            {"API": [{floor: [f.path for f in faces]} for floor, faces in self.floors.items()]},
            {"Project": list(PROJECT)},
        ]

    def from_root(self, name: str) -> str:
        """A page that stands beside docs/, seen from there."""
        text = (self.root / name).read_text(encoding="utf-8").replace("](docs/", "](")
        return re.sub(r"\[([^\]]+)\]\((?:CITATION.cff|LICENSE|benchmarks|scripts|src|tests)[^)]*\)", r"`\1`", text)

    def choose(self) -> str:
        """Which tool, law or study answers a question."""
        lines = ["# How to choose", "", "*Which study, law or tool answers my question?*", ""]
        lines += ["## About your own data, runs and models", "", "| question | tool |", "|---|---|"]
        tools = [*self.folder("tools"), *self.folder("fits"), self.page("lossless.md"), self.page("saved-models.md")]
        lines += [f"| {page.question or page.title} | [{page.title}]({page.path}) |" for page in tools]
        for theory, laws in self.laws.items():
            rows = [
                f"| {page.question or page.title} | [law]({page.path}){self.see(self.study_of(page))} |"
                for page in laws
            ]
            known = {self.study_of(page) for page in laws}
            others = [name for name, place in places().items() if place.theory == theory and name not in known]
            rows += [f"| {places()[name].question} | `twopart run {name}`{self.see(name)} |" for name in others]
            if rows:
                lines += [
                    "",
                    f"## {room(theory)}: {THEORIES[theory]}",
                    "",
                    "| question | answered by |",
                    "|---|---|",
                    *rows,
                ]
        return "\n".join(lines) + "\n"

    def see(self, study: str | None) -> str:
        """A link to a published run, to stand after another."""
        return f" · [run](results/{study}/README.md)" if self.result(study) else ""

    def methods(self) -> str:
        """What to import for one's own model, by theory: the lines with which the laws' pages open."""
        lines = [
            "# Methods for your own model",
            "",
            "Each of these runs as it stands; its page says what it rests on.",
            "",
        ]
        for theory, laws in self.laws.items():
            opened = [page for page in laws if page.opening]
            lines += [f"## {room(theory)}: {THEORIES[theory]}", ""] if opened else []
            for page in opened:
                lines += [f"### {page.question or page.title}", "", page.opening, f"[{page.title}]({page.path})", ""]
        return "\n".join(lines)

    def gallery(self) -> str:
        """The main figure of every published run, by theory."""
        lines = ["# What came out, in figures", "", "The main figure of each study; a click leads to all of it.", ""]
        for theory, about in THEORIES.items():
            found = [
                (name, page) for name in places() if places()[name].theory == theory and (page := self.result(name))
            ]
            lines += [f"## {room(theory)}: {about}", "", '<div class="grid cards" markdown>', ""] if found else []
            for name, page in found:
                lines += self.card(name, page)
            lines += ["</div>", ""] if found else []
        return "\n".join(lines)

    def card(self, name: str, page: Page) -> Iterator[str]:
        figure = PICTURE.search(page.text)
        claims = json.loads((self.docs / f"results/{name}/claims.json").read_text(encoding="utf-8"))["claims"]
        said = tally(claim["verdict"] for claim in claims)
        yield f"-   **[{page.title}]({page.path})**"
        yield ""
        if figure:
            picture = f"results/{name}/{figure[1].removesuffix('.svg')}"
            for scheme, end in (("light", ""), ("dark", ".dark")):
                yield f"    [![{page.title}]({picture}{end}.svg#only-{scheme}){{loading=lazy}}]({page.path})"
            yield ""
        yield f"    {places()[name].question}"
        yield ""
        yield f"    {said}"
        yield ""

    @cached_property
    def faces(self) -> list[Face]:
        """The package, its floors and their rooms, and public modules of the package itself."""
        files = sorted((self.root / "src").rglob("*.py"), key=lambda file: (*file.parent.parts, file.stem))
        return [face for file in files if (face := _face(file, self.root / "src")) and face.names]

    @cached_property
    def floors(self) -> dict[str, list[Face]]:
        floors: dict[str, list[Face]] = {}
        for face in self.faces:
            floors.setdefault((face.name + ".twopart").split(".")[1], []).append(face)
        return floors

    def api(self, face: Face) -> str:
        """A face's map, then every name that no other face is nearer to."""
        first, _, rest = face.doc.partition("\n\n")
        lines = [f"# {face.name}", "", first.replace("\n", " "), ""]
        lines += ["```text", rest.strip("\n"), "```", ""] if rest.strip() else []
        elsewhere: dict[str, list[str]] = {}
        shown = []
        for name, origin in face.names.items():
            near = [f.name for f in self.faces if f"{origin}.".startswith(f"{f.name}.") and name in f.names]
            home = max(near, key=len, default=face.name)
            if home != face.name:
                elsewhere.setdefault(home, []).append(f"`{name}`")
            elif f"{face.name}.{name}" not in {other.name for other in self.faces}:
                shown += ["", f"::: {face.name}.{name}"]
        lines += [f"From [{home}]({home}.md): {', '.join(names)}.\n" for home, names in elsewhere.items()]
        return "\n".join([*lines, *shown]) + "\n"


def room(theory: str) -> str:
    """How a theory's room is called in a heading."""
    return theory.replace("_", " ").capitalize()


def _rooms(results: dict[str, str]) -> Nav:
    """Published runs, theory by theory."""
    shelves = {room(t): [path for name, path in results.items() if places()[name].theory == t] for t in THEORIES}
    return [{name: paths} for name, paths in shelves.items() if paths]


def _face(file: Path, source: Path) -> Face | None:
    """The face in a file: what its `__all__` lists, or what a public module of the package itself defines."""
    name = ".".join(file.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
    if "._" in name:
        return None
    module = ast.parse(file.read_text(encoding="utf-8"))
    listed = [
        node for node in module.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    if listed:
        names = [name for name in ast.literal_eval(listed[0].value) if not name.startswith("_")]
    elif name.count(".") == 1 and file.stem != "__init__":
        names = [n.name for n in module.body if isinstance(n, ast.ClassDef | ast.FunctionDef) and n.name[0] != "_"]
    else:
        return None
    imports = [node for node in ast.walk(module) if isinstance(node, ast.ImportFrom)]
    origins = {alias.name: f"{node.module}" for node in imports for alias in node.names}
    return Face(name, ast.get_docstring(module) or "", {n: origins.get(n, name) for n in names})
