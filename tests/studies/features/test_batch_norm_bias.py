"""The implicit bias of batch normalisation: judges on rows whose verdict is known, cells against slow twins, tables."""

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Found, Rows, long
from twopart.lab import Cell
from twopart.laws.features import batch_norm as law
from twopart.studies.features import batch_norm_bias as study
from twopart.studies.features import batch_norm_bias_cells as torch_cells
from twopart.studies.features.batch_norm_bias import Config, Descend, Descents, Shift, Shifted

CONFIG = Config((1, 2), False, (14.0,), Descents(steps=10**6, rate=0.05, seeds=3))
CASES = [work.case for work in study.cells(CONFIG, 0)]
NEAR = np.array([[0.998], [1.0], [1.002]])  # replicates


def planted(case, **factors):
    """Rows as the law has them, D from 5e-3 at γ = 3 on, but for `factors`, which spoil them."""
    by = {
        name: factors.get(name, 1.0)
        for name in ("error", "gamma", "fall", "power", "sums", "spread", "plain", "difference")
    }
    if isinstance(case, Shift):
        return Rows(
            case, long("end", {name: getattr(case.law, name) * by["error"] * NEAR[:, 0] for name in study.LIMITS})
        )
    power = (2 if case.patches == 1 else 1) * by["power"]
    end = law.late_gamma(CONFIG.descents.steps, CONFIG.descents.rate, case.patches)
    γ = np.linspace(3, end, 40)
    grown = (γ ** (power + 1) - γ[0] ** (power + 1)) / (end ** (power + 1) - γ[0] ** (power + 1))
    D = 5e-3 * np.exp(-30 * grown * by["fall"])
    foretold = np.where(D < study.EARLIEST, D[0] * np.exp(-30 * grown), np.nan)
    D[-1] *= by["spread"]
    found = {
        "step": np.arange(40.0),
        "gamma": γ * by["gamma"],
        "spread": D,
        "sums": D / 20 * by["sums"],
        "law": foretold,
    }
    found |= {
        "plain": np.full(40, 0.3) * by["plain"],
        "difference": np.r_[1e-14 * by["difference"], np.full(39, np.nan)],
    }
    found |= {"guide": foretold, "trained": np.where(np.arange(40) < 9, D, np.nan)}
    ends = {"step": np.arange(40.0)[None, :, None], "patch": np.arange(case.patches), "margin": np.ones((3, 1, 1))}
    margins = [
        long("margins", ends | {"low": 0.9, "high": np.full((3, 1, 1), 1.1)}, series=name)
        for name in ("spread", "plain")
    ]
    return Rows(
        case,
        pl.concat(
            [
                long(
                    "path",
                    {k: v * NEAR if k in ("spread", "sums", "plain") else v + 0 * NEAR for k, v in found.items()},
                ),
                *margins,
            ],
            how="diagonal",
        ),
    )


def judged(only=lambda case: True, **factors):
    parts = tuple(planted(case, **(factors if only(case) else {})) for case in CASES)
    return list(study.claims(Found(CONFIG, parts)))


def test_what_the_law_says_holds():
    claims = judged()
    assert {claim.verdict for claim in claims} == {"holds"}
    assert len(claims) == 2 + 4 * 2 + 2 + 1 + 2, "exact, four of independent patches, powers, sums, both errors"


@pytest.mark.parametrize(
    ("only", "factors", "count"),
    [
        (lambda case: True, {"difference": 2e5}, 2),
        (lambda case: True, {"gamma": 1.011}, 2),
        (lambda case: True, {"gamma": 0.989}, 2),
        (lambda case: True, {"fall": 1.15}, 2),
        (lambda case: True, {"fall": 0.88}, 2),
        (lambda case: True, {"spread": 1e12}, 4),
        (lambda case: True, {"plain": 0.3}, 2),
        (lambda case: True, {"power": 0.7}, 1),
        (lambda case: True, {"power": 1.3}, 2),
        (lambda case: True, {"sums": 3.0}, 1),
        (lambda case: isinstance(case, Shift), {"error": 1.3}, 2),
    ],
)
def test_what_it_denies_fails(only, factors, count):
    verdicts = [claim.verdict for claim in judged(only, **factors)]
    assert verdicts.count("fails") == count


def test_deviations_that_never_are_small_decide_nothing():
    t = planted(CASES[0])
    never = Rows(t.case, t.frame.with_columns(law=pl.lit(math.nan)))
    assert {claim.verdict for claim in (study.falls(never), study.cubed(never, "log³ t"))} == {"inconclusive"}


@pytest.mark.parametrize(("data", "P"), [("noise", 2), ("rows", 8)])
def test_a_cell_against_a_plain_loop(tmp_path, data, P):
    case = Descend(data, P, Descents(4, 3.0, 0.2, 1000, 10, 20, 40, 2), 5)
    t = Rows(case, torch_cells.descend(case, Cell(tmp_path, seed=3)))
    for replicate in range(2):
        x, y = case.sample(replicate)
        signed = (x * y[:, None, None]).reshape(4 * P, -1).astype(float)
        assert sorted(y) == [-1, -1, 1, 1]
        depth = law.exponent(signed @ signed.T, 1.0, law.late_gamma(1000, 0.2, P), P) if data == "noise" else 10
        w = signed.sum(0) / math.sqrt(np.square(signed @ signed.sum(0)).mean()) * math.sqrt(depth / 10)
        plain, γ, D, D_plain = w.copy(), 1.0, [], []
        for _ in range(1000 + 1):
            a, b = signed @ w, signed @ plain
            s, before = math.sqrt(np.square(a).mean()), γ
            D.append(2 * (a / s).var())
            D_plain.append(2 * b.var() / np.square(b).mean())
            f = a.reshape(4, P).sum(1) / s
            g = -np.repeat(1 / (4 * (1 + np.exp(γ * f))), P)
            γ -= 0.2 * (f * g[::P]).sum()
            w = w - 0.2 * before / s * signed.T @ (g - a / s * (a / s @ g) / len(a))
            plain = plain + 0.2 * signed.T @ np.repeat(1 / (4 * (1 + np.exp(b.reshape(4, P).sum(1)))), P)
        at = study.path(t, "step")[replicate].astype(int)
        assert study.path(t, "spread")[replicate] == pytest.approx(np.array(D)[at], rel=1e-6, abs=1e-13)
        assert study.path(t, "plain")[replicate] == pytest.approx(np.array(D_plain)[at], rel=1e-9)
        assert study.path(t, "gamma")[replicate, -1] == pytest.approx(before, rel=1e-10)
        known = at <= 40
        assert study.path(t, "trained")[replicate, known] == pytest.approx(np.array(D)[at][known], rel=1e-6)
        assert np.isnan(study.path(t, "trained")[replicate, ~known]).all()
        assert np.nanmax(study.path(t, "difference")[replicate]) < 1e-12


def test_shifted_errors_are_those_of_the_limits(tmp_path):
    case = Shift(10.0, Shifted(8, 400, 5.0, 500, 100_000), 2, 7)
    t = Rows(case, torch_cells.shift(case, Cell(tmp_path, seed=3)))
    for replicate in range(2):
        world = case.world(replicate)
        sample = world.sample(8)
        signed = (sample.x * sample.label[:, None, None]).reshape(16, -1).astype(float)
        for name, c in law.limits(signed @ signed.T, 2)._asdict().items():
            w = torch.from_numpy(c @ signed)
            along = torch.from_numpy(world.basis) @ w
            size = math.sqrt(2 * float(w @ w - along @ along))
            error = 0.5 * math.erfc(5.0 * float(along[0]) / size / math.sqrt(2))
            assert abs(t.array(name)[replicate] - error) < 5 * math.sqrt(error * (1 - error) / 100_000)


def test_tables_against_plain_numbers():
    found = Found(CONFIG, tuple(planted(case) for case in CASES))
    spreads = pl.concat(study.spreads(found), how="diagonal").filter(pl.col("points") == "noise, P = 2")
    assert set(spreads["series"]) == set(study.SERIES.values())
    last = spreads.filter(series="batch normalisation")[-1]
    assert last["spread"].item() == pytest.approx(5e-3 * math.exp(-30) * 0.998)
    errors = pl.concat(study.errors(found), how="diagonal")
    assert errors.filter(classifier="batch normalisation", series="law")["error"].to_list() == [CASES[-1].law.uniform]
    assert errors["ratio"].unique().to_list() == [2.8]
    margins = pl.concat(study.margins(found))
    assert set(margins["patch"]) == {"patch 1", "patch 2"}
    assert "5e-16 after 1,000,000 steps" in study.summary(found)


def test_without_digits_none_are_read():
    for digits, kinds in ((False, {"noise"}), (True, {"noise", "digits", "rows"})):
        works = study.cells(replace(CONFIG, digits=digits), 0)
        assert {work.case.data for work in works if isinstance(work.case, Descend)} == kinds
