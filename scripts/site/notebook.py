"""The notebook of docs/, run from its first cell to its last, as a page with what each cell shows.

executed(path)     notebook.md, and the pictures in it
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter


def executed(path: Path) -> dict[str, str | bytes]:
    """What the notebook comes to. Raises `CellExecutionError` where a cell fails."""
    if not path.exists():
        return {}
    notebook = run(path)
    page, resources = MarkdownExporter().from_notebook_node(notebook)
    return {f"{path.stem}.md": page, **resources["outputs"]}


def run(path: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    return NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    ).execute()
