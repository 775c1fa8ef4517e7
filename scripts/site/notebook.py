"""The notebook of docs/, run from its first cell to its last, as a page with what each cell shows.

executed(path)     notebook.md, and the pictures in it
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config


def executed(path: Path) -> dict[str, str | bytes]:
    """What the notebook comes to. Raises `CellExecutionError` where a cell fails."""
    if not path.exists():
        return {}
    from nbconvert import MarkdownExporter

    notebook = run(path)
    page, resources = MarkdownExporter().from_notebook_node(notebook)
    pictures = {name: data if isinstance(data, bytes) else data.encode() for name, data in resources["outputs"].items()}
    return {f"{path.stem}.md": page, **pictures}


def run(path: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs; its kernel talks through sockets in the file system."""
    notebook = nbformat.read(path, as_version=4)
    sockets = Config({"KernelManager": {"transport": "ipc"}})
    return NotebookClient(notebook, timeout=300, kernel_name="python3", config=sockets).execute()
