"""How a model learns: the settings of a run, and what "auto" means on this machine."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field

import numpy as np
import torch

from twopart._checks import check, check_choice, check_integer, check_real
from twopart.learners.schedules import Constant, Schedule


@dataclass(frozen=True)
class TrainingConfig:
    """How a model learns."""

    batch: int = 128
    """Sentences per update; >= 1."""
    learning_rate: float = 2e-3
    """AdamW's learning rate at the schedule's peak; > 0."""
    schedule: Schedule = field(default_factory=Constant)
    """Warm-up and fall of the learning rate."""
    weight_decay: float = 0.0
    """AdamW's decay of the matrices, per update and unit of learning rate; >= 0. In a single pass nothing is overfitted and
    decay is forgetting. Gains of norms are scales near 1, not maps, and are never decayed."""
    first_decay: float = 0.9
    """AdamW's memory of the gradient (beta 1); in [0, 1)."""
    second_decay: float = 0.99
    """AdamW's memory of its square (beta 2); in [0, 1). Batches of short sentences are small: 0.99 left 5 % fewer bits
    unlearned than the 0.95 of large language models."""
    clip: float = 1.0
    """Longest gradient in Euclidean norm; longer ones are scaled down to it; > 0."""
    device: str = "auto"
    """"cpu", "cuda", "cuda:<number>", or "auto": cuda where there is one."""
    compile: str = "auto"
    """"on", "off", or "auto": compile the step where that pays back within the run."""
    checkpoint_every: int = 0
    """Sentences between checkpoints, when a folder is given; 0 writes one at the end only."""

    def __post_init__(self) -> None:
        check_integer("batch", self.batch, 1, None, "128 is a good start")
        check_real("learning_rate", self.learning_rate, 0, np.inf, "1e-3 to 3e-3 suits small models", closed="()")
        check_real("weight_decay", self.weight_decay, 0, np.inf, "0 turns it off", closed="[)")
        check_real("first_decay", self.first_decay, 0, 1, "0.9 is usual", closed="[)")
        check_real("second_decay", self.second_decay, 0, 1, "0.95 to 0.999 is usual", closed="[)")
        check_real("clip", self.clip, 0, np.inf, "1.0 is usual, inf turns it off", closed="(]")
        known = re.fullmatch(r"auto|cpu|cuda(:\d+)?", str(self.device)) is not None
        check(
            known,
            "device",
            self.device,
            '"auto", "cpu", "cuda" or "cuda:<number>"',
            '"auto" takes a GPU if there is one',
        )
        check_choice("compile", self.compile, ("auto", "on", "off"))
        check_integer("checkpoint_every", self.checkpoint_every, 0, None, "0 writes one at the end only")


def pick_device(name: str) -> torch.device:
    """The device that `TrainingConfig.device` means on this machine."""
    available = torch.cuda.is_available()
    check(
        available or name in ("cpu", "auto"),
        "device",
        name,
        "a device of this machine",
        'PyTorch sees no GPU: take "cpu" or "auto"',
    )
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    return torch.device(name)


def compiles(config: TrainingConfig, device: torch.device, updates: int) -> bool:
    """Whether to compile the step with Inductor; a rule of the config alone, so that a resumed run decides alike.

    On a CPU it never pays: measured at 0.2 M and 0.8 M parameters, Inductor's step takes 1.7 times as long as the loops of
    `_kernels.py` with the products of `_products.py`, and is ready after 5 to 20 s. On a GPU it saves perhaps 5 ms of launching
    kernels per update and is ready within a minute or two (assumed, not measured: there was no GPU at hand).
    """
    if config.compile == "on":
        compiler = os.environ.get("CXX", "g++")
        remedy = f'there is no {compiler} on the path: install it, or take "auto" or "off"'
        check(shutil.which(compiler) is not None, "compile", "on", "off without a C++ compiler", remedy)
    return config.compile == "on" or (config.compile == "auto" and device.type == "cuda" and updates > 20_000)
