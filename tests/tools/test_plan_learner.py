"""Plans by a learner's own numbers: the law itself, both ways, what it says at its ends, and one line for every fault."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.cli import main
from twopart.laws.knowledge import LearnerFit, StepSum, learner_law
from twopart.tools.plan import plan_learner
from twopart.tools.plan.learner import sentences
from twopart.worlds import Attribute, SyntaxKnowledge

RANGE = {"params": (800.0, 60_000.0), "sentences": (1e4, 1e6)}
FIT = LearnerFit(0.17, 0.4, 0.0, {"nats": (0.15, 0.2), "speed": (0.3, 0.5)}, 0.2, {}, None, RANGE)
ASKED = {"discount": 0.5, "facts_bits": 4, "params": 2000, "width": 16, "statements": 1e5, "rate": 0.01, "batch": 128}


@pytest.fixture(scope="module")
def plan():
    return plan_learner(FIT, **ASKED)


def test_it_is_the_law_of_the_world(plan):
    world = SyntaxKnowledge(0.5, 1.0, (Attribute("fact", values=16, templates=1),))
    law = learner_law(world, 1e5, 2000, 16, nats=0.17, speed=0.4, steps=StepSum(0.01, 128))
    assert plan.facts == pytest.approx(float(law.known_facts))
    assert plan.bits_per_param == pytest.approx(float(law.known_facts) * 4 / 2000)
    for told in (0, 3, 40, 500):
        assert plan.known(told) == pytest.approx(float(law.known(told / 1e5)))


def test_times_told_and_share_known_are_inverse(plan):
    times = [plan.told(share) for share in (0.2, 0.5, 0.9)]
    assert times == sorted(times)
    assert [plan.known(n) for n in times] == pytest.approx([0.2, 0.5, 0.9], abs=0.01)


def test_without_crowding_a_fact_alone_decides():
    """Room without end leaves no noise: half of the bits are left at 2.2878929 nats of 64 values, by the flow alone."""
    wide = plan_learner(FIT, **{**ASKED, "facts_bits": 6, "params": 1e13, "rate": 1e6})
    assert wide.told(0.5) == pytest.approx(2.2878929 / 0.17, rel=0.02)


def test_an_optimiser_that_went_nowhere():
    still = plan_learner(FIT, **{**ASKED, "rate": 1e-7})
    assert still.told(0.5) == np.inf
    assert any("Its optimiser has not gone far enough" in line for line in sentences(still))


def test_beyond_the_runs_is_said(plan):
    assert plan.beyond == ()
    far = plan_learner(FIT, **{**ASKED, "params": 1e6, "statements": 2e6})
    assert sentences(far)[-1] == (
        "Extrapolated: params 1e+06 (fitted: 800 to 6e+04) and sentences 2e+06 (fitted: 1e+04 to 1e+06) is beyond what the two "
        "numbers were fitted to."
    )


def test_the_command(tmp_path, capsys):
    FIT.save(tmp_path / "learner.json")
    given = [f"--{name.replace('_', '-')}={value}" for name, value in ASKED.items()]
    assert main(["plan", *given, "--learner", str(tmp_path / "learner.json"), "--out", str(tmp_path / "plan")]) == 0
    assert "half of the facts told" in capsys.readouterr().out
    assert (tmp_path / "plan" / "index.html").is_file()


@pytest.mark.parametrize(
    ("drop", "add", "said"),
    [
        ("batch", "", "a learner's plan needs --batch"),
        ("statements", "", "a learner's plan needs --statements"),
        ("", "--exposures=3", "--exposures is what a learner's numbers foretell; leave it out"),
        ("", "--facts-bits=4.4", "`facts_bits` must be log2 of a whole number"),
        ("", "--width=0", "`width` must be a number in"),
        ("learner", "", "--width is of use with --learner alone"),
    ],
)
def test_faults(tmp_path, capsys, drop, add, said):
    FIT.save(tmp_path / "learner.json")
    given = {**ASKED, "learner": tmp_path / "learner.json"}
    words = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if name != drop]
    assert main(["plan", *words, *([add] if add else [])]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_refusals():
    for name, bad in (("params", 0), ("statements", np.nan), ("facts_bits", 13), ("batch", 0), ("rate", -1.0)):
        with pytest.raises(InputError, match=f"^`{name}` must be"):
            plan_learner(FIT, **{**ASKED, name: bad})
