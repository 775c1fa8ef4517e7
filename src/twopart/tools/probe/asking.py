"""Everything that is asked: each fact and its twins by each template, in chunks that are kept, so that a killed run goes on.

A chunk's file is named by a digest of model, candidates and prompts: what was asked before is read, never asked again.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._files import write_bytes
from twopart.tools.probe.answers import Answers, Asker
from twopart.tools.probe.facts import Facts
from twopart.tools.probe.twins import invent_for

Floats = NDArray[np.float64]
CHUNK = 768  # prompts: enough for full batches of equal length
TWINS = 2  # for each fact, where the table has none
MEAN = "mean of templates"
Progress = Callable[[int, int], None]
"""Prompts answered, and all of them."""


@dataclass(frozen=True, eq=False)
class Asking:
    """What a model gave, by one template."""

    facts: Facts
    template: str
    model: str
    parameters: int | None
    share: Floats
    """Of the candidates' probability, what each has (N, C)."""
    mass: Floats
    """Probability of all candidates together (N,)."""
    slack: Floats
    """Total variation that the shares may be off by (N,)."""
    twin_of: NDArray[np.int64]
    """The fact of each twin (M,)."""
    twin_share: Floats
    """(M, C)."""

    @property
    def guess(self) -> NDArray[np.int64]:
        return np.asarray(self.share.argmax(1))

    @property
    def right(self) -> Floats:
        """1 where the best guess is true, else 0 (N,)."""
        return np.asarray(self.guess == self.facts.answer, float)

    @property
    def log_score(self) -> Floats:
        """ln of the true answer's share (N,): the better, the higher."""
        return np.log(self.share[np.arange(len(self.facts)), self.facts.answer])

    @property
    def frame(self) -> pl.DataFrame:
        """A row for each fact, then for each twin, to be stored: what `of_frame` takes back."""
        N, M = self.share.shape[0], len(self.twin_of)
        fact, twin = np.r_[np.arange(N), self.twin_of], np.arange(N + M) >= N
        once = {"mass": np.r_[self.mass, np.ones(M)], "slack": np.r_[self.slack, np.zeros(M)]}
        return pl.DataFrame({"fact": fact, "twin": twin, "share": np.r_[self.share, self.twin_share], **once})

    @classmethod
    def of_frame(cls, frame: pl.DataFrame, facts: Facts, template: str, model: str, parameters: int | None) -> Asking:
        """What was asked of these facts, from its rows."""
        real, twins = (frame.filter(twin=which) for which in (False, True))
        share, mass, slack = (real[name].to_numpy() for name in ("share", "mass", "slack"))
        of_twins = twins["fact"].to_numpy(), twins["share"].to_numpy()
        return cls(facts, template, model, parameters, share, mass, slack, *of_twins)


def ask(
    asker: Asker, facts: Facts, *, seed: int = 0, folder: Path | None = None, progress: Progress | None = None
) -> list[Asking]:
    """Ask for every fact and every twin by each template; with a `folder`, finished chunks are kept there."""
    twins = facts.twins or invent_for(facts.subject, facts.group, TWINS, seed)
    twin_of = np.repeat(np.arange(len(facts)), [len(names) for names in twins])
    N, total, done = len(facts), (len(facts) + len(twin_of)) * len(facts.templates), 0
    found = []
    for template in facts.templates:
        real = [facts.questions(template, i, [facts.subject[i]])[0] for i in range(N)]
        prompts = real + [text for i in range(N) for text in facts.questions(template, i, twins[i])]
        truth = np.r_[facts.answer, facts.answer[twin_of]]
        parts = []
        for start in range(0, len(prompts), CHUNK):
            some = slice(start, start + CHUNK)
            parts.append(_kept(asker, prompts[some], facts, truth[some], folder))
            done += len(prompts[some])
            if progress is not None:
                progress(done, total)
        answers = np.concatenate([part.probability for part in parts])
        mass = answers.sum(1)
        share = np.maximum(answers, 1e-12)
        share /= share.sum(1, keepdims=True)
        slack = np.concatenate([part.slack for part in parts]) / np.maximum(mass, 1e-12)
        about = facts, template, asker.name, asker.parameters
        found.append(Asking(*about, share[:N], mass[:N], np.minimum(slack[:N], 1.0), twin_of, share[N:]))
    return found


def averaged(askings: Sequence[Asking]) -> Asking:
    """The mean over templates of each candidate's share, in place of a template; the mean of slacks bounds it too."""
    means = {
        name: np.mean([getattr(one, name) for one in askings], 0) for name in ("share", "mass", "slack", "twin_share")
    }
    return replace(askings[0], template=MEAN, **means)


def _kept(asker: Asker, prompts: list[str], facts: Facts, truth: NDArray[np.int64], folder: Path | None) -> Answers:
    if folder is None:
        return asker.ask(prompts, facts.candidates, truth)
    key = json.dumps([asker.identity, facts.candidates, prompts, truth.tolist()])
    path = folder / f"{sha256(key.encode()).hexdigest()[:24]}.npz"
    if path.is_file():
        with np.load(path) as kept:
            return Answers(kept["probability"].astype(float), kept["slack"].astype(float))
    answers = asker.ask(prompts, facts.candidates, truth)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, probability=answers.probability, slack=answers.slack)
    write_bytes(path, buffer.getvalue())
    return answers
