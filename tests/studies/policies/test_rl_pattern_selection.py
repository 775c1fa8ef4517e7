"""Pattern selection: judges on rows whose verdict is known, cells against plain loops, rollouts that are counted."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Rows, long
from twopart.lab import Cell
from twopart.laws.policies import advantage_slope, escape, flow, stationary
from twopart.learners.policies import GRPO, Reinforce, train
from twopart.studies.policies import rl_pattern_selection as study
from twopart.studies.policies.rl_pattern_selection import PRESETS, Addition, Runs
from twopart.studies.policies.rl_pattern_selection_cells import rollouts
from twopart.worlds.policies import Additions, Patterns

WORLD = Patterns()
SPREAD = np.linspace(-1, 1, 8)


def runs(what, world=WORLD, method=None, lr=0.2, steps=60, **more):
    return Runs(what, world, method or Reinforce(), lr, steps, 8, **more)


def planted(case, policy, column="policy", half=None, success=0.5):
    """Rows whose masses, or another column, are as given at all marks, (marks, K), but for a spread of 0.001."""
    shape = (8, len(case.marks), len(case.arrays[0]))
    columns = {"policy": 0.25, "logit": 0.0, "success": success, column: policy}
    columns = {name: np.broadcast_to(values, shape) for name, values in columns.items()}
    columns[column] = columns[column] + 1e-3 * SPREAD[:, None, None]
    marks = long("mark", columns | {"step": np.array(case.marks)[:, None]})
    end = long("end", {"half": np.full(8, np.nan) if half is None else half + SPREAD})
    return Rows(case, pl.concat([marks, end], how="diagonal"), "follow")


def test_courses_rests_and_steps_are_judged():
    case = runs("course", steps=300)
    for off, verdict in ((0.0, "holds"), (0.03, "fails")):
        assert study.follows(planted(case, case.course.policy + np.array([off, -off, 0, 0]))).verdict == verdict
    rest, method = stationary(*case.arrays, 0.2), Reinforce("leave_one_out", kl=0.2)
    for off, verdict in ((0.0, "holds"), (0.04, "fails")):
        rows = planted(runs("rest", method=method), rest + np.array([off, -off, 0, 0]))
        assert study.rests(rows).verdict == verdict
    step = runs("step", Patterns.of_answers(0.3), GRPO(4), 1.0, 1, copies=5)
    s = float(advantage_slope(0.3, 4))
    for off, verdict in ((1.0, "holds"), (1.05, "fails")):
        logit = np.log(0.3 / 0.7) + 2 * off * s * 0.21
        judged = study.speed_up(planted(step, [logit, 0.0], "logit"))
        assert (judged.verdict, judged.predicted) == (verdict, pytest.approx(s))


def test_waits_and_traps_are_judged():
    two = [runs("escape", Patterns((x, 1 - x), (0.6, 0.2)), steps=9000) for x in (0.01, 0.001)]
    times = np.array([escape(*case.arrays).time for case in two]) / (0.2 * 7 / 8)
    for factor, verdict in ((1.05, "holds"), (1.3, "fails")):
        assert study.waiting_time(planted(two[0], [0.5, 0.5], half=factor * times[0])).verdict == verdict
    for power, verdict in ((1.0, "holds"), (0.5, "fails")):
        rows = [
            planted(case, [0.5, 0.5], half=times[0] * (t / times[0]) ** power)
            for case, t in zip(two, times, strict=True)
        ]
        assert study.slow_regime(rows).verdict == verdict
    tuned, half = runs("escape", WORLD.hard(0.05)), np.array([0.25] * 4)
    for ratio, verdict in ((9.0, "holds"), (5.0, "fails")):
        pair = planted(runs("escape"), half, half=300.0 * ratio), planted(tuned, half, half=300.0)
        assert study.fine_tuning_repairs(*pair).verdict == verdict
    for low, verdict in ((0.01, "holds"), (0.03, "fails")):
        assert study.falls_first(planted(runs("escape"), [low, 0.2, 0.3, 0.48])).verdict == verdict


def test_feedback_luck_gains_and_tokens_are_judged():
    for reward, top in (("entropy", 0.597), ("majority", 0.587)):
        peak = runs("peak", Patterns.of_answers(*study.BELIEFS), lr=0.01, reward=reward)
        for end, verdict in ((0.55, "holds"), (0.6, "fails")):
            assert study.then_falls(planted(peak, [end, 1 - end])).verdict == verdict
        assert study.rises(planted(peak, [0.56, 0.44])).verdict == "fails"
        judged = study.rises(planted(peak, [0.58, 0.42]))
        assert (judged.verdict, judged.predicted) == ("holds", pytest.approx(top - 0.5725, abs=1e-3))
    luck = runs("luck", Patterns.of_answers(0.46), Reinforce(group=8), 0.1, reward="majority")
    for share, verdict in ((0.101, "holds"), (0.15, "fails")):
        assert study.lucky(planted(luck, [share, 1 - share])).verdict == verdict
    case = runs("skill", skill=0.5)
    gained = (case.course.policy * case.course.success).sum(-1) - np.dot(*case.arrays)
    assert study.gains(case, *case.course).sum(0) == pytest.approx(gained)
    adding = Addition(Additions(4, 3), PRESETS["tiny"].shape, PRESETS["tiny"].sft, PRESETS["tiny"].adding)
    for share, verdict in ((0.12, "holds"), (0.3, "fails")):
        frame = pl.DataFrame({"replicate": [0, 1, 2], "critical": [share, share, share + 0.001]})
        assert study.sparse(Rows(adding, frame)).verdict == verdict


def test_a_cell_is_the_method(tmp_path):
    case = runs("course", method=GRPO(4), steps=30)
    found = Rows(case, study.follow(case, Cell(tmp_path, seed=5)))
    last = train(np.tile(np.log(WORLD.masses), (8, 1, 1)), WORLD, GRPO(4), 30, 0.2, seed=5)
    np.testing.assert_allclose(study.at_marks(found)[:, -1], last.policy[:, 0])
    np.testing.assert_allclose(study.at_marks(found, "logit")[:, -1], np.log(last.policy[:, 0]))
    thrice = Rows(case, study.follow(replace(case, copies=3), Cell(tmp_path, seed=5)))
    many = train(np.tile(np.log(WORLD.masses), (24, 1, 1)), WORLD, GRPO(4), 30, 0.2, seed=5).policy[:, 0]
    np.testing.assert_allclose(study.at_marks(thrice)[:, -1], many.reshape(8, 3, 4).mean(1))
    quick = replace(case, what="escape", world=Patterns((0.45, 0.55), (0.9, 0.1)), steps=400)
    halves = Rows(quick, study.follow(quick, Cell(tmp_path, seed=5))).array("half", axis="end")
    assert 1 <= halves.min() <= halves.max() < 400
    assert study.leaving(WORLD).lowest == pytest.approx(
        flow(*case.arrays, np.arange(1, 400.0)).policy[:, 0].min(), rel=1e-3
    )


def test_rollouts_are_what_a_model_writes():
    """A model that always writes the same: one format, and its sums right where they are."""
    tiny, world = PRESETS["tiny"], Additions(2)
    case, pairs = Addition(world, tiny.shape, tiny.sft, tiny.adding), world.numbers(6)
    written = torch.from_numpy(world.responses(pairs[:1].repeat(1, 0), np.array([1]))[0])

    class Parrot(torch.nn.Module):
        embedding = torch.zeros(1)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            at = torch.arange(tokens.shape[1]) - world.question + 1
            likely = 100 * torch.nn.functional.one_hot(written[at.clamp(0, len(written) - 1)], 17)
            return likely.expand(len(tokens), -1, -1).float()

    log, tokens = rollouts(case, Parrot(), pairs, torch.Generator().manual_seed(0))
    assert tokens.shape == (48, world.question + world.response)
    assert set(log["pattern"]) == {"reversed"}
    expected = np.repeat(pairs.sum(1) == pairs[0].sum(), 8)
    assert log["reward"].to_list() == expected.astype(float).tolist()
