"""Checkpoints: one safetensors file with all that a run needs to go on as if it had never stopped.

    weights, AdamW's moments, the code lengths recorded so far; in the header, which run it is and how far it has come

A checkpoint takes its predecessor's place only when it is whole on disk. Nothing in it can run: no pickle is read or written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from twopart._checks import InputError
from twopart._files import write_bytes

NAME = "training.safetensors"
"""The checkpoint in a run's folder."""
FORMAT = "twopart-training-1"
"""The entry of its header, and the version of what is in it."""
START_OVER = "delete it to train from the start"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run between two updates."""

    done: int
    """Sentences learned."""
    tensors: dict[str, Tensor]
    """All that changes as a run goes on, by name."""


def write_checkpoint(folder: Path, run: Mapping[str, str], checkpoint: Checkpoint) -> None:
    """Put `checkpoint` of the run that `run` describes in the place of the folder's last one."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    header = {"run": run, "done": checkpoint.done, "digest": _digest(tensors)}
    write_bytes(folder / NAME, save(tensors, {FORMAT: json.dumps(header)}))  # one entry: several come in any order


def read_checkpoint(folder: Path, run: Mapping[str, str]) -> Checkpoint | None:
    """The folder's checkpoint, or None if it has none; a damaged one, or one of another run, is refused."""
    for unfinished in folder.glob(f".{NAME}.*.part"):  # left by a process that was killed while it wrote
        unfinished.unlink(missing_ok=True)
    path = folder / NAME
    if not path.exists():
        return None
    tensors, metadata = read_tensors(path, START_OVER)
    if FORMAT not in metadata:
        raise InputError(f"{path} is not a checkpoint of this version; {START_OVER}")
    header = json.loads(metadata[FORMAT])
    if header["digest"] != _digest(tensors):
        raise InputError(f"{path} is damaged: its digest does not match; {START_OVER}")
    there = header["run"]
    keys = dict.fromkeys([*run, *there])
    differences = [f"{k}: {there.get(k)} there, {run.get(k)} here" for k in keys if there.get(k) != run.get(k)]
    if differences:
        raise InputError(f"{path} belongs to another run ({'; '.join(differences)}); take another folder, or delete it")
    return Checkpoint(header["done"], tensors)


def read_tensors(path: Path, remedy: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors and the header of a safetensors file."""
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except SafetensorError as error:
        raise InputError(f"{path} is damaged or not a safetensors file ({error}); {remedy}") from error


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].numpy().data)
    return digest.hexdigest()
