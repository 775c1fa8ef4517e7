"""Answers as paths of tokens in a tree, and how probable each is: exact, or with a bound on what was not followed.

One pass over a prompt, then one token for each node that is visited. What begins several answers ("Guinea" and
"Guinea-Bissau") is, of its own, what does not go on to the others: P(node) (1 - Σ P(child | node)). Nodes are visited that
lead to several candidates with a probability above ε, to one with 10 ε, to the true one with 1e-4; the others' probability is
spread over the candidates below them and added to `slack`, which bounds the total variation from the exact answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twopart._checks import InputError
from twopart.tools.probe.decoder import Decoder, State

EPSILON = 0.005
TRUTH = 1e-4  # a path to the truth is followed down to here
VISITS = 128  # rows of one pass over visited nodes
Floats = NDArray[np.float64]


@dataclass(eq=False)
class Node:
    """A token of some answers; the root stands for none."""

    children: dict[int, Node] = field(default_factory=dict)
    ends: int = -1
    """The candidate whose form ends here; -1: none."""
    below: list[int] = field(default_factory=list)
    """The candidates that end here or further down."""
    tokens: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Those of the children."""
    depth: int = 0
    """Tokens of the longest path below."""
    leaves: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Places of the children that have none."""
    ended: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Their candidates."""
    inner: list[tuple[int, Node]] = field(default_factory=list)
    """Place and node of the others."""


def build(paths: Sequence[Sequence[Sequence[int]]]) -> Node:
    """The tree of the forms of C candidates, each a path of tokens. Raises `InputError` for a form of two candidates."""
    root = Node()
    for candidate, forms in enumerate(paths):
        for path in forms:
            node = root
            for token in path:
                node = node.children.setdefault(token, Node())
            if node.ends not in (-1, candidate):
                raise InputError(
                    f"candidates {node.ends + 1} and {candidate + 1} are the same tokens to the model; name one otherwise"
                )
            node.ends = candidate
    _finish(root)
    return root


def _finish(node: Node) -> set[int]:
    below = {node.ends} - {-1}
    for child in node.children.values():
        below |= _finish(child)
    node.below, node.tokens = sorted(below), np.array(list(node.children), np.int64)
    node.depth = max((child.depth + 1 for child in node.children.values()), default=0)
    children = list(enumerate(node.children.values()))
    node.leaves = np.array([at for at, child in children if not child.children], np.int64)
    node.ended = np.array([child.ends for _, child in children if not child.children], np.int64)
    node.inner = [(at, child) for at, child in children if child.children]
    return below


@dataclass(frozen=True)
class _Visit:
    row: int  # of the prompts
    parent: int  # row of the state that it goes on from
    token: int
    node: Node
    mass: float


def score(
    decoder: Decoder, state: State, logs: Tensor, root: Node, truth: NDArray[np.int64], epsilon: float = EPSILON
) -> tuple[Floats, Floats]:
    """Probability of each candidate (B, C), and slack (B,), after B prompts that were read: their `state` and `logs` (B, V).

    `truth` (B,) is the candidate whose path is followed further; ε = 0 follows all.
    """
    B = len(truth)
    probability, slack = np.zeros((B, root.below[-1] + 1)), np.zeros(B)
    visits = [_Visit(row, row, -1, root, 1.0) for row in range(B)]
    pending = [(visits, logs, state)]
    while pending:
        visits, logs, state = pending.pop()
        nexts: list[_Visit] = []
        table = logs.numpy()
        for at, visit in enumerate(visits):
            node = visit.node
            shares = np.exp(table[at, node.tokens].astype(float)) * visit.mass
            if node.ends >= 0:
                probability[visit.row, node.ends] += max(0.0, visit.mass - shares.sum())
            np.add.at(probability[visit.row], node.ended, shares[node.leaves])
            for place, child in node.inner:
                mass = float(shares[place])
                if _followed(child, mass, int(truth[visit.row]), epsilon):
                    nexts.append(_Visit(visit.row, at, int(node.tokens[place]), child, mass))
                else:
                    probability[visit.row, child.below] += mass / len(child.below)
                    slack[visit.row] += mass
        for some in (nexts[start : start + VISITS] for start in range(0, len(nexts), VISITS)):
            rows, tokens = (torch.tensor([getattr(v, name) for v in some]) for name in ("parent", "token"))
            pending.append((some, *decoder.extend(state, rows, tokens[:, None])))
    return probability, slack


def _followed(node: Node, mass: float, truth: int, epsilon: float) -> bool:
    return mass > epsilon * (1 if len(node.below) > 1 else 10) or (mass > TRUTH and truth in node.below)
