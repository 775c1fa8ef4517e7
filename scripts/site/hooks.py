"""What MkDocs calls while it builds the site (mkdocs.yml): the pages that are made, the order of all, and their formulas."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from scripts.site.notebook import executed
from scripts.site.pages import Site
from scripts.site.prose import figured, prepared

from twopart.report.theme import COLOURS

HERE = Path(__file__).parent
SITE = Site(HERE.parents[1])
DARK = {colour.light: colour.dark for colour in COLOURS.values()}
FETCHED = re.compile(r'<(?!a\b)\w+[^>]*?\s(?:src|href|data|poster)="((?:https?:)?//[^"]+)"')
ZIAMATH = Path(str(find_spec("ziamath").origin)).parent  # found, not imported: only its font is used
FONT = ZIAMATH / "fonts" / "STIXTwoMath-Regular.ttf"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.nav = SITE.navigation()
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is made: pages, the notebook as it ran, a dark twin of every picture, the font of formulas."""
    made: dict[str, str | bytes] = {**SITE.generated(), **executed(SITE.docs / "notebook.ipynb")}
    pictures = {file.src_uri: file.content_string for file in files if file.src_uri.endswith(".svg")}
    pictures |= {path: bytes(content).decode() for path, content in made.items() if path.endswith(".svg")}
    made |= {f"{path.removesuffix('svg')}dark.svg": darkened(picture) for path, picture in pictures.items()}
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    for asset in (FONT, HERE / "site.css", HERE / "iframe-worker.js"):
        files.append(File.generated(config, f"assets/{asset.name}", abs_src_path=str(asset)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    path = page.file.src_uri
    if path.startswith("laws/"):
        law = SITE.page(path)
        before = law.opening or law.question
        at = markdown.find(before) + len(before) + (not law.opening)
        markdown = f"{markdown[:at]}\n\n{SITE.figure_of(law)}\n{markdown[at:].lstrip()}"
    written = not page.file.generated_by
    return figured(prepared(markdown) if written else markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Refuse a page that would fetch anything from elsewhere: links are for people, the rest must lie in the site."""
    if found := FETCHED.search(output):
        raise PluginError(f"{page.file.src_uri} fetches {found[1]}; put it into the site")
    return output


def darkened(picture: str) -> str:
    """The picture in the colours of dark paper."""
    return re.sub("#[0-9a-f]{6}", lambda colour: DARK.get(colour[0], colour[0]), picture)
