"""Where a cell's function stands, and a digest of its code, so that a resumed run can say that the code has changed since.

The digest is of the function and of all that it names in its own file, directly or not, without comments, layout and doc
strings; what it imports belongs to the environment. Nothing is imported for that: a study's cells may need torch.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twopart._checks import InputError


def home(module: str, function: str) -> str:
    """The module that defines `function`: the study's own, or the one of its cells beside it."""
    for name in (module, f"{module}_cells"):
        if function in _definitions(name):
            return name
    raise InputError(
        f"the study {module} has no function {function!r} in its file, nor in {module}_cells; define it there"
    )


def find(module: str, function: str) -> Callable[..., Any]:
    """The function itself, imported."""
    found: Callable[..., Any] = getattr(import_module(home(module, function)), function)
    return found


@lru_cache(maxsize=256)
def digest(module: str, function: str) -> str:
    """A short digest of the code of `function`."""
    definitions = _definitions(home(module, function))
    seen: dict[str, str] = {}
    waiting = [function]
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in seen:
            seen[name] = ast.dump(definitions[name])
            waiting += [node.id for node in ast.walk(definitions[name]) if isinstance(node, ast.Name)]
    text = "\n".join(f"{name} {seen[name]}" for name in sorted(seen))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@lru_cache(maxsize=64)
def _definitions(module: str) -> dict[str, ast.stmt]:
    """What a module's file defines, by name, without doc strings."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:  # the package of a module that is not there
        return {}
    if spec is None or spec.origin is None:
        return {}
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body:
            node.body = [s for s in body if not _is_text(s)] or [ast.Pass()]  # type: ignore[attr-defined]
    return {name: statement for statement in tree.body for name in _names(statement)}


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    targets += [statement.target] if isinstance(statement, ast.AnnAssign) else []
    yield from (node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
