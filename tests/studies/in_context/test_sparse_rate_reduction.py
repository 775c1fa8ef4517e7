"""Sparse rate reduction: judges on rows whose verdict is known, stacks and the crowd against plain twins, tables."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn import functional

from twopart.evidence import Found, Rows, long
from twopart.lab import Cell
from twopart.learners.in_context import Crate, SRRRegulariser, watch
from twopart.studies.in_context import sparse_rate_reduction as study
from twopart.studies.in_context import sparse_rate_reduction_cells as cells
from twopart.studies.in_context.sparse_rate_reduction import BASELINES, EPOCHS, FIT, LOSS, OURS, PRESETS, Stack, Train

FEW = PRESETS["tiny"].network
CASE = Train("learned", 32, 0.0, (0.002,), 2, 0.0, FEW, 0)


def stack(course, law=None, inputs=20):
    """Every input the same course of R^c, linear and softmax."""
    y = np.tile(course, (inputs, 1))
    columns = {"layer": np.arange(9), "matrices": y, "law": y if law is None else np.tile(law, (inputs, 1))}
    where = {"basis": "orthonormal", "tokens": "Gaussian"}
    frames = [long("linear", columns, how="plus", scale=scale) for scale in ("raw", "fixed")]
    frames += [long("softmax", columns, how="plus", scale=scale, **where) for scale in ("raw", "unit")]
    return Rows(Stack(inputs, 0), pl.concat(frames, how="diagonal_relaxed"), "attend")


def crowd(output="learned", gap=lambda srr: srr, shift=0.0, accuracy=0.8, fit=0.0, seeds=6):
    """Networks whose gap is a function of their SRR; the baselines rank them backwards."""
    srr, frames = np.linspace(0, 1, seeds) + shift, []
    for protocol in (EPOCHS, LOSS):
        for seed, one in enumerate(srr):
            own = dict.fromkeys(OURS, one) | dict.fromkeys(BASELINES, -one) | {FIT: fit + 0.01 * ((7 * seed) % seeds)}
            own |= {"rate": 0.1, "seed": seed, "gap": gap(one), "accuracy": accuracy + 1e-3 * seed, "epoch": 3}
            frames.append(pl.DataFrame({"replicate": seed, "axis": "run", "protocol": protocol, **own}))
    return Rows(replace(CASE, output=output), pl.concat(frames), "train")


def penalty(weight, accuracy, validation):
    """Ten networks of a weight."""
    columns = {"accuracy": accuracy + 1e-4 * np.arange(10), "validation": validation}
    frame = pl.DataFrame({"replicate": np.arange(10), "axis": "run", **columns})
    return Rows(replace(CASE, weight=weight), frame, "regularise")


def found(*parts, outputs=("learned",), weights=(0.03,)):
    return Found(replace(PRESETS["tiny"], outputs=outputs, weights=weights), parts)


RISING, FALLING = np.linspace(1, 2, 9), np.linspace(2, 1, 9)


def test_the_law_is_held_against_matrices_where_these_are_numbers():
    assert study.layer_by_layer(stack(RISING), "plus").verdict == "holds"
    assert study.layer_by_layer(stack(RISING, RISING * (1 + 2e-6)), "plus").verdict == "fails"
    assert study.layer_by_layer(stack([*RISING[:8], np.nan], RISING), "plus").verdict == "holds"


def test_directions_are_judged_in_every_layer():
    wavy = RISING.copy()
    wavy[4] = 3.0
    assert [study.ascends(stack(c)).verdict for c in (RISING, wavy)] == ["holds", "fails"]
    assert study.at_fixed_norm(stack(FALLING), "plus", "falls").verdict == "holds"
    assert study.at_fixed_norm(stack(wavy), "plus", "rises").verdict == "fails"
    assert study.with_softmax(stack(wavy), "plus", "orthonormal", "rises").verdict == "holds", "from first to last"
    assert study.with_softmax(stack(RISING), "plus", "orthonormal", "falls").verdict == "fails"


def test_types_are_compared_at_equal_loss():
    for accuracy, verdict in ((0.7, "holds"), (0.9, "fails")):
        both = found(crowd(), crowd("tied", accuracy=accuracy), outputs=("learned", "tied"))
        assert study.better_type(both, "tied").verdict == verdict


def test_what_ranks_networks_is_judged_by_resampling_them():
    for sign, verdict in ((1, "holds"), (-1, "fails")):
        t = found(crowd(gap=lambda srr, sign=sign: sign * srr, seeds=12))
        assert study.predicts(t).verdict == verdict
        assert study.predicts(t).measured == pytest.approx(sign)
        assert study.beats(t, "path norm").verdict == verdict


def test_a_sign_that_turns_within_types_is_seen():
    """Within each type the gap falls with SRR; the type with more of it has the larger gap."""
    parts = [crowd(o, lambda srr, b=b: 10 * b - srr, b, seeds=12) for o, b in (("learned", 0), ("tied", 5))]
    both = found(*parts, outputs=("learned", "tied"))
    assert study.predicts(both).measured > 0
    assert study.within_type(both, LOSS, "tied").verdict == "fails"
    assert study.within_type(found(crowd(gap=lambda srr: -srr, seeds=12)), LOSS, "learned").verdict == "holds"


def test_the_weight_is_chosen_on_validation():
    parts = penalty(0.0, 0.8, 0.8), penalty(0.1, 0.82, 0.9), penalty(1.0, 0.7, 0.85)
    made = study.regularises(found(*parts, weights=(0.1, 1.0)))
    assert (made.verdict, made.measured) == ("holds", pytest.approx(0.02))
    assert study.regularises(found(parts[0], penalty(0.1, 0.78, 0.9), weights=(0.1,))).verdict == "fails"


def test_tables_agree_with_the_rows():
    t = found(crowd(gap=lambda srr: srr**2), crowd("tied"), outputs=("learned", "tied"))
    frame = pl.concat(study.correlations(t))
    one = frame.filter(measure=study.SRR, protocol=LOSS, among="type learned")
    assert one["τ"].item() == pytest.approx(1)
    assert frame.filter(measure="path norm", among="all")["τ"].to_list() == pytest.approx([-1, -1], abs=0.1)
    assert pl.concat(study.runs(t)).height == 24


def test_a_crowd_is_as_if_each_network_were_alone():
    """Adam (Kingma and Ba 2014, end of section 2) on one network at a time, on the same orders, with the penalty."""
    x, y = torch.randn(12, 1, 8, 8, dtype=torch.double), torch.arange(12) % 3
    case = replace(CASE, batch=4, weight=0.1, rates=(0.01, 0.002), seeds=1)
    with torch.random.fork_rng():
        together = cells.Crowd(case, 1, x, 3)
    together.base.double()  # Adam's steps are of one size at first, whatever rounding left of a gradient
    for part in (together.weights, together.moments):
        part.update({name: p.double() for name, p in part.items()})
    alone = [Crate(8, 4, 3, 8, 2, 2).double() for _ in range(2)]
    for i, network in enumerate(alone):
        network.load_state_dict(together.network(i).state_dict())
    orders = torch.rand(2, 12, generator=torch.Generator().manual_seed(5)).argsort(1)
    together.epoch(x, y, 4, torch.Generator().manual_seed(5))
    for i, (network, rate) in enumerate(zip(alone, case.rates, strict=True)):
        m, v = ([torch.zeros_like(p) for p in network.parameters()] for _ in range(2))
        for step, start in enumerate((0, 4, 8), 1):
            rows = orders[i, start : start + 4]
            with watch(network) as seen:
                loss = functional.cross_entropy(network(x[rows]), y[rows]) + SRRRegulariser(0.1)(seen)
            gradients = torch.autograd.grad(loss, list(network.parameters()))
            with torch.no_grad():
                for k, (p, g) in enumerate(zip(network.parameters(), gradients, strict=True)):
                    m[k], v[k] = 0.9 * m[k] + 0.1 * g, 0.999 * v[k] + 0.001 * g**2
                    p -= rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step) * m[k] / (v[k].sqrt() + 1e-8)
        for name, p in together.network(i).named_parameters():
            assert torch.allclose(p, network.state_dict()[name], atol=1e-7), name


def test_networks_are_looked_at_after_equal_epochs_and_at_the_loss():
    """The first comes to it, the second is as good as untrained and given up."""
    case = replace(CASE, batch=16, rates=(0.02, 1e-6), seeds=1, network=replace(FEW, epochs=2, most=10, loss=1.9))
    rows = cells.train(case, Cell(Path(), seed=3)).filter(axis="run")
    assert rows.filter(protocol=EPOCHS).select("replicate", "epoch").rows() == [(0, 2), (1, 2)]
    at = rows.filter(protocol=LOSS).row(0, named=True)
    assert (at["replicate"], rows.height) == (0, 3)
    assert 1.2 < -at[FIT] <= 1.9
    assert 2 < at["epoch"] < 10
