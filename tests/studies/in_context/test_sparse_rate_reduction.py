"""Sparse rate reduction: judges on rows whose verdict is known, penalties against plain twins, tables."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn import functional

from twopart.evidence import Found, Rows, long
from twopart.lab import Cell
from twopart.learners import Ensemble
from twopart.learners.in_context import Crate, SRRRegulariser, watch
from twopart.studies.in_context import sparse_rate_reduction as study
from twopart.studies.in_context import sparse_rate_reduction_cells as cells
from twopart.studies.in_context.sparse_rate_reduction import BASELINES, EPOCHS, FIT, LOSS, OURS, PRESETS, Stack, Train

FEW = PRESETS["tiny"].network
CASE = Train("learned", 0.002, 32, 0.0, 2, 0.0, FEW, 0)


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
            own |= {"gap": gap(one), "accuracy": accuracy + 1e-3 * seed, "epoch": 3}
            frames.append(pl.DataFrame({"replicate": seed, "axis": "run", "protocol": protocol, **own}))
    return Rows(replace(CASE, output=output), pl.concat(frames), "train")


def penalty(weight, accuracy, validation):
    """Ten networks of a weight."""
    columns = {"accuracy": accuracy + 1e-4 * np.arange(10), "validation": validation}
    frame = pl.DataFrame({"replicate": np.arange(10), "axis": "run", "protocol": EPOCHS, **columns})
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


def test_the_penalty_is_each_networks_own():
    """Losses and slopes with it, against one network at a time."""
    x, y = torch.randn(2, 4, 1, 8, 8, dtype=torch.double), torch.arange(8).reshape(2, 4) % 3
    alone = [Crate(8, 4, 3, 8, 2, 2).double() for _ in range(2)]
    ensemble = Ensemble(alone)
    losses = ensemble.each(cells.objective(0.1), x, y)
    losses.sum().backward()
    for i, network in enumerate(alone):
        with watch(network) as seen:
            loss = functional.cross_entropy(network(x[i]), y[i]) + SRRRegulariser(0.1)(seen)
        loss.backward()
        assert losses[i].item() == pytest.approx(loss.item())
        for name, p in network.named_parameters():
            assert torch.allclose(ensemble.weights[name].grad[i], p.grad, atol=1e-12), name


def test_networks_are_looked_at_after_equal_epochs_and_at_the_loss():
    """At a fair rate they come to it, at none they are as good as untrained and given up."""
    case = replace(CASE, batch=16, network=replace(FEW, epochs=2, loss=1.9))
    fair, none = replace(case, rate=0.02, network=replace(case.network, most=10)), replace(case, rate=1e-6)
    come, lost = (cells.train(one, Cell(Path(), seed=3)) for one in (fair, none))
    for rows in (come, lost):
        assert rows.filter(protocol=EPOCHS).select("replicate", "epoch").rows() == [(0, 2), (1, 2)]
    assert lost.filter(protocol=LOSS).is_empty()
    at = come.filter(protocol=LOSS)
    assert at["replicate"].sort().to_list() == [0, 1]
    assert (-at[FIT]).is_between(1.2, 1.9).all()
    assert at["epoch"].is_between(3, 9).all()
