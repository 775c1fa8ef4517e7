"""The script that draws a page's figures: Vega, Vega-Lite and Vega-Embed in one, the versions that draw the saved files too.

It takes seconds to bundle and is the same for all pages, so it is kept where the system keeps caches.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import platformdirs
import vl_convert

from twopart._files import write_text

EXPORT = "window.vegaEmbed = vegaEmbed;"


@cache
def drawing_library() -> str:
    """The script; bundled anew where nothing whole is kept, and kept if a folder can be written."""
    kept = _place()
    if (script := _read(kept)) is not None:
        return script
    script = vl_convert.javascript_bundle(EXPORT).replace("</script", "<\\/script")
    with suppress(OSError):  # where no folder can be written, the next process bundles it again
        write_text(kept, f"{_digest(script)}\n{script}")
    return script


def _place() -> Path:
    return platformdirs.user_cache_path("twopart") / f"vega-embed-{version('vl-convert-python')}.js"


def _read(path: Path) -> str | None:
    """What is kept below a line with its digest; None if there is no such file, or it is not what was written."""
    try:
        digest, _, script = path.read_text("utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return script if digest == _digest(script) else None


def _digest(script: str) -> str:
    return hashlib.sha256(f"{EXPORT}\n{script}".encode()).hexdigest()
