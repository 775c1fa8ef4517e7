"""In-context memorisation: judges on rows whose verdict is known, cells against plain loops, tables against rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Found, Rows
from twopart.lab import Cell
from twopart.laws.in_context import ridge_law
from twopart.studies.in_context import in_context_memorization as study
from twopart.studies.in_context.in_context_memorization import PRESETS, RIDGES, Context, Signal
from twopart.worlds.in_context import SignalTokens

CASES = [work.case for work in study.cells(PRESETS["tiny"], 0)]
NEAR = 1 + 0.002 * np.linspace(-1, 1, 8)  # replicates


def contexts(part, kind, factor=1.0, equal=0.0):
    """Rows as the law has them, times a factor, plus what is added at equal power; shape (8, ridges) for each case."""
    rows = []
    for case in (c for c in CASES if isinstance(c, Context) and (c.part, c.kind) == (part, kind)):
        times = factor(case.world.dimension) if callable(factor) else factor
        own, other = (np.outer(NEAR, times * case.law(RIDGES, equal=e) + (equal if e else 0)) for e in (False, True))
        frame = {"replicate": np.repeat(np.arange(8), 7), "error": own.ravel(), "equal": other.ravel()}
        rows.append(Rows(case, pl.DataFrame(frame), "memorise"))
    return rows


def signals(way, kind="tanh", factor=1.0, ridge=1.0, dimension=256):
    """The same with a signal, p as in the published run."""
    rows = []
    for case in (c for c in CASES if isinstance(c, Signal) and (c.way, c.kind) == (way, kind)):
        world = SignalTokens(dimension, 2 * dimension, case.world.signal * (1 if kind == "even" else 1.5))
        case = replace(case, world=world)
        law, tokens = case.law(), ridge_law(0.5, case.ridge, world.signal)
        times = factor(world.signal) if callable(factor) else factor
        columns = {"attention": law.memorization * times, study.TOKENS: ridge * tokens}
        frame = {name: NEAR * float(value) for name, value in columns.items()}
        rows.append(Rows(case, pl.DataFrame({"replicate": np.arange(8), **frame}), "attend"))
    return rows


def noise(kinds, **how):
    return [contexts("random tokens", kind, **how)[0] for kind in kinds]


@pytest.mark.parametrize(
    ("claim", "right", "wrong"),
    [
        (study.law_of_noise, contexts("random tokens", "tanh"), contexts("random tokens", "tanh", 1.02)),
        (study.law_of_noise, contexts("random tokens", "even", 1.02), contexts("random tokens", "even", 0.96)),
        (lambda ts: study.law_with_signal(ts, 0.04), signals("aligned"), signals("aligned", factor=1.06)),
        (study.saturation_matters, signals("aligned"), signals("aligned", factor=1.7)),
        (study.signal_closes_the_gap, signals("aligned"), signals("aligned", factor=lambda μ: μ)),
        (study.reverses, signals("aligned"), signals("aligned", factor=1.5)),
        (study.reverses, signals("aligned"), signals("anti-aligned")),
        (
            study.converges,
            contexts("heavy tails", "exp", lambda p: 1 + 10 / p),
            contexts("heavy tails", "exp", lambda p: 1 + 100 / p**2),
        ),
        (study.softmax_is_entrywise, contexts("random tokens", "softmax"), contexts("random tokens", "softmax", 0.9)),
        (
            lambda ts: study.worse_on_noise(ts, contexts("random tokens", study.TOKENS)[0]),
            noise(study.F),
            noise(study.F, equal=-0.1),
        ),
        (lambda ts: study.law_on_digits(ts[0]), contexts("digits", "tanh", 1.05), contexts("digits", "tanh", 1.15)),
    ],
)
def test_what_the_law_says_holds_and_what_it_denies_fails(claim, right, wrong):
    assert claim(right).verdict == "holds"
    assert claim(wrong).verdict == "fails"


def test_cells_are_plain_loops():
    case = next(c for c in CASES if isinstance(c, Context) and c.kind == "softmax")
    rows = Rows(case, study.memorise(case, Cell(Path(), seed=1)))
    x, _ = case.world.sample(1)
    p, n = x.shape
    weights = np.exp(x.T @ x / np.sqrt(p)) * (1 - np.eye(n))
    A = x @ (weights / weights.sum(0)) * n / np.sqrt(p)
    s, power = np.linalg.eigvalsh(A.T @ A / n), np.square(A).sum() / np.square(x).sum()
    assert rows.array("error")[1, 3] == pytest.approx(np.mean((0.3 / (0.3 + s)) ** 2))
    assert rows.array("equal")[1, 3] == pytest.approx(np.mean((0.3 / (0.3 + s / power)) ** 2))
    one = next(c for c in CASES if isinstance(c, Signal) and c.way == "anti-aligned")
    rows = Rows(one, study.attend(one, Cell(Path(), seed=1)))
    x, y = one.world.sample(2)
    p, n = x.shape
    W = np.eye(p)
    W[0, 0] = 1 - 0.7
    A = x @ (np.tanh(x.T @ W @ x / np.sqrt(p)) * (1 - np.eye(n))) / np.sqrt(p)
    for fitted, name in ((A, "attention"), (x, study.TOKENS)):
        w = np.linalg.solve(fitted @ fitted.T + n * one.ridge * np.eye(p), fitted @ y)
        assert rows.array(name)[2] == pytest.approx(np.square(y - fitted.T @ w).mean())


def test_tables_show_what_was_measured():
    random = [rows for kind in (*study.F, study.ROWS, study.TOKENS) for rows in contexts("random tokens", kind)]
    heavy = [rows for kind in study.HEAVY for rows in contexts("heavy tails", kind, lambda p: 1 + 10 / p)]
    images = [rows for kind in ("tanh", study.TOKENS) for rows in contexts("digits", kind, 1.1)]
    seen = [rows for way in study.WAYS[:3] for rows in signals(way, factor=1.2)]
    tables = {t.name: t.frame for t in study.tables(Found(PRESETS["tiny"], (*random, *heavy, *images, *seen)))}
    digits = tables["digits"].filter(
        features="tanh", of="digits 3 and 8", labels="true labels", power="as it is", series="measured"
    )
    law = next(r.case for r in images if str(r.case.world) == "digits 3 and 8" and r.case.labels == "true").law(RIDGES)
    assert digits["error"].to_numpy() == pytest.approx(1.1 * law)
    assert (digits["low"] < digits["error"]).all()
    heavy = tables["convergence"].filter(features="cubic", series="measured")
    assert heavy["error"].to_numpy() == pytest.approx(10 / np.array(PRESETS["tiny"].ladder))
    aligned = tables["signal"].filter(way="aligned", features="attention", series="measured")
    assert aligned["error"].to_numpy() == pytest.approx([1.2 * float(r.case.law().memorization) for r in seen[:2]])
