"""What MkDocs calls while it builds the site (mkdocs.yml): the pages that are made, the order of all, and their formulas."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ziamath
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from scripts.site.notebook import executed
from scripts.site.pages import Site
from scripts.site.prose import figured, prepared
from twopart.report.theme import COLOURS

SITE = Site(Path(__file__).parents[2])
DARK = {colour.light: colour.dark for colour in COLOURS.values()}
FONT = Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.nav = SITE.navigation()
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is made: pages, the notebook as it ran, a dark twin of every picture, the font of formulas."""
    made: dict[str, str | bytes] = dict(SITE.generated())
    made |= executed(SITE.docs / "notebook.ipynb")
    made |= {f.src_uri.removesuffix("svg") + "dark.svg": darkened(f.content_string) for f in files if f.src_uri.endswith("svg")}
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    files.append(File.generated(config, "assets/STIXTwoMath.ttf", abs_src_path=str(FONT)))
    files.append(File.generated(config, "assets/site.css", abs_src_path=str(Path(__file__).with_name("site.css"))))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    path = page.file.src_uri
    if path.startswith("laws/"):
        law = SITE.page(path)
        before = law.opening or law.question
        at = markdown.find(before) + len(before) + (not law.opening)
        markdown = f"{markdown[:at]}\n\n{SITE.figure_of(law)}\n{markdown[at:].lstrip()}"
    return markdown if path.startswith(("api/", "notebook")) else figured(prepared(markdown))


def darkened(picture: str) -> str:
    """The picture in the colours of dark paper."""
    return re.sub("#[0-9a-f]{6}", lambda colour: DARK.get(colour[0], colour[0]), picture)
