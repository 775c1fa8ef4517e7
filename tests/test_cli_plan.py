"""`twopart plan`: closed forms of the planted law, the laws of knowledge, and one line for every fault."""

import dataclasses
import json
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import beta

from tests.test_cli import fails_on_one_line
from tests.tools.runs import TRUTH, csv, losses
from twopart._checks import InputError
from twopart.cli import main
from twopart.fits.scaling import FORMS, Law
from twopart.tools.fit import fit_table, read_runs
from twopart.tools.plan import plan_fine_tune, plan_knowledge, plan_training
from twopart.worlds import PitmanYor

FINE_TUNE = "plan fine-tune --discount 0.5 --facts-bits 6 --params 1e5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    (folder / "runs.csv").write_text(csv(noise=1e-9))
    fit_table(read_runs(folder / "runs.csv"), resamples=100, drop_highest=0).fit.write(folder / "law.json")
    return folder


@pytest.fixture(scope="module")
def law(folder):
    """The planted law itself, with the draws of a fit."""
    fitted = Law.read(folder / "law.json")
    theta = fitted.form.coordinates(np.array([TRUTH[name] for name in fitted.form.parameters]))
    return dataclasses.replace(fitted, theta=theta)


def optimum(flops):
    """Hoffmann et al. 2022, equation 4."""
    a, b = TRUTH["alpha"], TRUTH["beta"]
    g = (a * TRUTH["A"] / (b * TRUTH["B"])) ** (1 / (a + b))
    n = g * (flops / 6) ** (b / (a + b))
    return n, flops / 6 / n


def test_the_best_split_and_what_missing_it_costs(law):
    plan = plan_training(law, flops=1e22)
    n, d = optimum(1e22)
    assert plan.best.params.value == pytest.approx(n, rel=1e-3)
    assert plan.best.tokens.value == pytest.approx(d, rel=1e-3)
    assert plan.best.loss.value == pytest.approx(losses(n, d), rel=1e-6)
    off = plan.off.row(3, named=True)
    assert off["times the best size"] == 2
    assert off["loss"] == pytest.approx(losses(2 * n, d / 2), rel=1e-5)
    needed = min(c for c in np.geomspace(1e20, 1e22, 20_000) if losses(*optimum(c)) <= losses(2 * n, d / 2))
    assert off["compute wasted (%)"] == pytest.approx(100 * (1 - needed / 1e22), abs=0.05)
    middle = plan.budgets.row(2, named=True)
    assert middle["parameters"] == pytest.approx(n, rel=1e-3)
    assert middle["parameters, low"] <= middle["parameters, high"]


def test_the_goals_agree(law):
    plan = plan_training(law, flops=1e22)
    for goal in ("params", "tokens", "loss"):
        other = plan_training(law, **{goal: getattr(plan.best, goal).value})
        assert other.best.flops.value == pytest.approx(1e22, rel=0.01)


def test_serving_makes_models_smaller(law):
    """The least total cost by a plain search over sizes, the tokens from the law's own formula."""
    plan = plan_training(law, flops=1e22, serve_tokens=1e13)
    sizes = np.geomspace(plan.point.params / 100, plan.point.params * 2, 50_001)
    rest = plan.point.loss - TRUTH["E"] - TRUTH["A"] / sizes ** TRUTH["alpha"]
    tokens = (TRUTH["B"] / np.where(rest > 0, rest, np.nan)) ** (1 / TRUTH["beta"])
    cost = 6 * sizes * tokens + 2 * sizes * 1e13
    best = int(np.nanargmin(cost))
    assert plan.served.flops == pytest.approx(cost[best], rel=1e-4)
    assert plan.served.params == pytest.approx(sizes[best], rel=0.02)
    assert plan.served.params < plan.point.params
    assert plan.served.tokens > plan.point.tokens
    assert plan.served.flops < plan.point.flops
    assert losses(plan.served.params, plan.served.tokens) == pytest.approx(plan.point.loss, rel=1e-5)
    little = plan_training(law, flops=1e22, serve_tokens=1.0).served
    assert little.flops == pytest.approx(1e22, rel=1e-3)


def test_repeats_are_worth_less_and_less(law):
    plan = plan_training(law, flops=1e22)
    enough = plan_training(law, flops=1e22, max_tokens=2 * plan.point.tokens)
    assert enough.repeated is None
    found = [plan_training(law, flops=1e22, max_tokens=plan.point.tokens / k).repeated for k in (1.001, 4, 40)]
    assert found[0].loss == pytest.approx(plan.point.loss, rel=1e-3)
    assert plan.point.loss < found[0].loss * 1.0001 < found[1].loss < found[2].loss
    run, unique = found[2], plan.point.tokens / 40
    effective = unique + unique * 15.39 * (1 - math.exp(-(run.tokens / unique - 1) / 15.39))
    best = optimum_for_tokens(unique)
    size = best + best * 5.31 * (1 - math.exp(-(run.params / best - 1) / 5.31))
    assert run.loss == pytest.approx(losses(size, effective), rel=1e-3)
    assert 6 * run.params * run.tokens == pytest.approx(1e22)


def optimum_for_tokens(tokens):
    a, b = TRUTH["alpha"], TRUTH["beta"]
    return (a * TRUTH["A"] / (b * TRUTH["B"]) * tokens**b) ** (1 / a)


def test_what_cannot_be_planned(law):
    with pytest.raises(InputError, match="no compute reaches it"):
        plan_training(law, loss=1.2)
    with pytest.raises(InputError, match="max_tokens"):
        plan_training(law, flops=1e22, max_tokens=-1)
    with pytest.raises(InputError, match="exactly one"):
        plan_training(law)


def test_the_cost_of_the_wrong_size_is_told_far_from_the_runs(law):
    """Where the loss is the floor to the last digit, the excess still tells."""
    near, far = (plan_training(law, flops=flops).off for flops in (1e22, 1e200))
    assert far["compute wasted (%)"].to_list() == pytest.approx(near["compute wasted (%)"].to_list(), rel=1e-6)


@pytest.mark.parametrize(("name", "own"), [("data", "tokens"), ("model", "params"), ("compute", "flops")])
def test_laws_of_one_input_have_plans(name, own):
    """L = 1.7 + 400 x^-0.3: a loss of 2 at x = (400/0.3)^(1/0.3)."""
    form = FORMS[name]
    theta = form.coordinates(np.array([1.7, 400.0, 0.3]))
    plan = plan_training(Law(form, theta, theta[None]), loss=2.0)
    assert getattr(plan.best, own).value == pytest.approx((400 / 0.3) ** (1 / 0.3))
    assert plan.off is None
    assert plan.budgets["loss"].to_list() == pytest.approx(
        [1.7 + 0.3 * times**-0.3 for times in (0.01, 0.1, 1, 10, 100)]
    )
    with pytest.raises(InputError, match="fit a form with parameters and tokens"):
        plan_training(Law(form, theta, theta[None]), loss=2.0, serve_tokens=1e9)


def test_serving_and_repeats_far_from_the_best_run(law):
    """Ever more to serve: ever smaller models, down to the one that reaches the loss with endless data. Ever fewer distinct
    tokens: ever higher losses, down to what endless repeats of them reach."""
    plan = plan_training(law, flops=1e22)
    sizes = [plan_training(law, flops=1e22, serve_tokens=tokens).served.params for tokens in np.geomspace(1, 1e60, 30)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == pytest.approx((TRUTH["A"] / (plan.point.loss - TRUTH["E"])) ** (1 / TRUTH["alpha"]), rel=1e-6)
    found = [plan_training(law, flops=1e22, max_tokens=tokens) for tokens in np.geomspace(1, 1e10, 11)]
    assert all(one.repeated.loss >= one.exhausted * (1 - 1e-12) for one in found)
    assert found[0].repeated.loss == pytest.approx(found[0].exhausted)
    losses_found = [one.repeated.loss for one in found]
    assert losses_found == sorted(losses_found, reverse=True)


# Knowledge


@pytest.mark.parametrize("discount", [0.3, 0.6, 0.8])
def test_the_threshold_is_where_the_facts_fill_the_room(discount):
    py = PitmanYor(discount, 5.0)
    plan = plan_knowledge(discount=discount, concentration=5.0, facts_bits=8, params=1e4, bits_per_param=2)
    assert plan.room == 2500
    assert py.atoms_above(plan.threshold) == pytest.approx(2500, rel=1e-6)
    assert plan.unknown == pytest.approx(py.mass_below(plan.threshold), rel=1e-6)
    assert plan.hallucination == pytest.approx(plan.unknown * 255 / 256)
    assert plan.known(plan.threshold * 0.99) == 0
    assert plan.known(plan.threshold * 1.01) == 1
    assert plan.oversampling(plan.threshold / 70) == pytest.approx(70)
    assert plan.oversampling(2 * plan.threshold) == 1
    row = plan.sizes.filter(plan.sizes["parameters"] == 1e4).row(0, named=True)
    assert row["facts known"] == pytest.approx(2500)


def test_with_room_for_all_only_the_data_limit():
    plan = plan_knowledge(discount=0.5, facts_bits=6, params=1e9, statements=1e4)
    py = PitmanYor(0.5, 1.0)
    assert plan.threshold == 0
    assert plan.facts == pytest.approx(py.expected_distinct(10_000), rel=1e-6)
    assert plan.unknown == pytest.approx(py.expected_missing_mass(10_000), rel=1e-6)
    slow = plan_knowledge(discount=0.5, facts_bits=6, params=1e9, statements=1e4, exposures=10)
    assert slow.unknown == pytest.approx(py.expected_missing_mass(1000), rel=1e-6)
    lifted = slow.oversampling(1e-6) * 1e-6
    assert slow.known(lifted) == pytest.approx(0.95, rel=1e-9)
    assert 1e4 * lifted == pytest.approx(10 * math.log(20), rel=0.01), "T ln 20 statements"


def test_the_size_of_facts_matters_through_their_number_alone():
    small = plan_knowledge(discount=0.5, facts_bits=3, params=1e5)
    large = plan_knowledge(discount=0.5, facts_bits=48, params=16e5)
    assert large.threshold == pytest.approx(small.threshold)
    assert large.hallucination > small.hallucination


# Fine-tuning


def above(d, theta, least, f):
    """E Σ_k f(p_k) over the entities of PY(d, θ) with p_k >= least: ∫ f(p)/p Beta(p; 1-d, θ+d) dp, in ln p."""
    density = beta(1 - d, theta + d).pdf
    return quad(lambda u: f(np.exp(u)) * density(np.exp(u)), np.log(least), 0, limit=500, epsabs=1e-13)[0]


@pytest.mark.parametrize(("discount", "room", "new"), [(0.5, 300, 100), (0.7, 1000, 300)])
def test_what_replay_saves_is_counted_fact_by_fact(discount, room, new):
    theta, exposures = 3.0, 15.0
    plan = plan_fine_tune(
        discount=discount, concentration=theta, facts_bits=6, params=3 * room, new_facts=new, exposures=exposures
    )
    py = PitmanYor(discount, theta)
    assert plan.learned == pytest.approx(new * (1 - (1 - 1 / new) ** (new * exposures)))
    assert plan.displaced == pytest.approx(plan.learned, rel=1e-9)
    assert py.atoms_above(plan.threshold) == pytest.approx(room - plan.learned, rel=1e-9)
    price = brentq(lambda x: py.atoms_above(x) - room, 1e-12, plan.threshold, xtol=1e-18)
    assert plan.known_before == pytest.approx(1 - py.mass_below(price), rel=1e-9)
    assert plan.least_loss == pytest.approx(py.mass_below(plan.threshold) - py.mass_below(price), rel=1e-7)
    for share in (0.0, 0.02, 0.1, 0.5):
        n, row = share / (1 - share) * new * exposures, plan.at(share)
        left = room - plan.learned
        if py.expected_distinct(round(n)) > left:
            continue  # the joint law, which has tests of its own, finds which of the rehearsed facts fit
        rehearsed = above(discount, theta, 1e-18, lambda p, n=n: -np.expm1(n * np.log1p(-p)))
        guaranteed = above(discount, theta, 1e-18, lambda p, n=n: -p * np.expm1(n * np.log1p(-p)))
        others = above(discount, theta, price, lambda p, n=n: (1 - p) ** n)
        mass = above(discount, theta, price, lambda p, n=n: p * (1 - p) ** n)
        kept = mass * min(1.0, (left - rehearsed) / others)
        assert row["old lost, at worst"] == pytest.approx(plan.known_before - guaranteed, abs=1e-6)
        assert row["old lost, expected"] == pytest.approx(plan.known_before - guaranteed - kept, abs=1e-6)
        assert row["old lost, at least"] <= row["old lost, expected"] <= row["old lost, at worst"] + 1e-12


def test_the_recommended_share_is_the_least_that_keeps_the_promise():
    plan = plan_fine_tune(discount=0.5, facts_bits=6, params=1e5, new_facts=5000, exposures=20)
    shares, worst = plan.curve["replay"].to_numpy(), plan.curve["old lost, at worst"].to_numpy()
    kept = worst <= plan.least_loss + 0.01
    assert plan.replay == shares[kept].min()
    assert not kept[shares < plan.replay].any()
    assert plan.replay_expected < plan.replay
    strict = plan_fine_tune(discount=0.5, facts_bits=6, params=1e5, new_facts=5000, exposures=20, tolerance=1e-4)
    assert strict.replay is None
    assert plan.at(0.0)["old lost, at worst"] == pytest.approx(plan.known_before)


def test_too_much_replay_is_dearer_than_new_facts():
    """Beyond `most`, old facts of r q > (1-r)/F take the room of new ones."""
    plan = plan_fine_tune(discount=0.5, facts_bits=6, params=30, new_facts=9, exposures=50)
    assert plan.threshold > 0.01
    assert plan.most == pytest.approx(1 / (1 + 9 * plan.threshold))
    few = plan_fine_tune(discount=0.3, facts_bits=6, params=60, new_facts=18, exposures=50)
    assert few.most < 0.5
    assert few.at(0.5)["new known"] < few.at(0.0)["new known"] == pytest.approx(1)


def test_with_room_to_spare_nothing_has_to_go():
    plan = plan_fine_tune(discount=0.6, facts_bits=6, params=1e6, new_facts=500, exposures=20, statements=1e5)
    py = PitmanYor(0.6, 1.0)
    assert plan.displaced == plan.threshold == plan.least_loss == 0
    assert plan.known_before == pytest.approx(1 - py.expected_missing_mass(100_000), rel=1e-6)
    assert plan.at(0.5)["old lost, expected"] == pytest.approx(0, abs=1e-9)
    known = 1 - py.expected_missing_mass(10_000)
    assert plan.at(0.5)["old lost, at worst"] == pytest.approx(plan.known_before - known, rel=1e-6)


def test_where_nothing_can_be_lost_nothing_is_drawn(tmp_path):
    command = "plan fine-tune --discount 0.5 --facts-bits 6 --params 1e18 --new-facts 1e15 --exposures 1e15"
    assert main([*command.split(), "--out", str(tmp_path / "plan")]) == 0
    assert not (tmp_path / "plan/figures/replay.svg").exists()


def test_a_fine_tuning_plan_is_printed_and_written(tmp_path, capsys):
    command = "plan fine-tune --discount 0.5 --facts-bits 6 --params 1e5 --new-facts 5e3 --exposures 20"
    assert main([*command.split(), "--out", str(tmp_path / "plan")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for words in ("Recommended: let", "Expected loss of old questions", "Without replay nothing holds", "at least"):
        assert words in out
    assert (tmp_path / "plan/index.html").exists()
    assert (tmp_path / "plan/figures/replay.svg").exists()
    assert main(["report", str(tmp_path / "plan")]) == 0
    hard = "plan fine-tune --discount 0.8 --facts-bits 6 --params 1e5 --new-facts 5e3 --exposures 20 --needed 10"
    assert main(hard.split()) == 0
    assert "No share up to 50 %" in " ".join(capsys.readouterr().out.split())


# The command


def test_a_training_plan_is_printed_and_written(folder, tmp_path, capsys):
    command = ["plan", str(folder / "law.json"), "--flops", "1e22", "--serve-tokens", "1e13", "--max-tokens", "1e11"]
    assert main([*command, "--out", str(tmp_path / "plan")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for words in (
        "expect a loss of",
        "Half the size would waste",
        "epochs, for a loss of",
        "To serve 1e+13 tokens",
        "Other budgets",
    ):
        assert words in out
    assert (tmp_path / "plan/index.html").exists()
    assert (tmp_path / "plan/figures/budgets.svg").exists()
    assert main([*command, "--out", str(tmp_path / "plan")]) == 0, "a plan may be written over an earlier one"
    assert main(["report", str(tmp_path / "plan")]) == 0


def test_a_plan_leads_back_to_itself(folder, capsys):
    """--loss of what was printed, near the runs and far from them; nothing on stderr."""
    for flops in ("1e22", "1e45"):
        assert main(["plan", str(folder / "law.json"), "--flops", flops]) == 0
        loss = capsys.readouterr().out.partition("expect a loss of ")[2].split()[0]
        assert main(["plan", str(folder / "law.json"), "--loss", loss]) == 0
        said = capsys.readouterr()
        assert said.err == ""
        back = float(said.out.partition("for each parameter, with ")[2].split()[0])
        assert back == pytest.approx(float(flops), rel=0.01)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}, "3.219e+10 parameters on 2.982e+12 tokens"),
        ({"E": 0.0, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}, "3.219e+10 parameters on 2.982e+12 tokens"),
        (
            {"E": 2.71, "A": 1.65e5, "B": 1369.0, "alpha": 0.65, "beta": 0.35},
            "2.476e+10 parameters on 3.877e+12 tokens",
        ),
    ],
)
def test_published_constants_in_a_file_of_ones_own(values, said, tmp_path, capsys):
    law = {"format": "twopart scaling law 1", "form": "chinchilla", "parameters": values}
    (tmp_path / "law.json").write_text(json.dumps(law))
    assert main(["plan", str(tmp_path / "law.json"), "--flops", "5.76e23", "--out", str(tmp_path / "plan")]) == 0
    printed = capsys.readouterr()
    assert said in " ".join(printed.out.split())
    assert printed.err == ""


def test_a_law_of_one_input_is_planned(tmp_path, capsys):
    parameters = {"E": 1.7, "B": 400.0, "beta": 0.3}
    law = {"format": "twopart scaling law 1", "form": "data", "parameters": parameters}
    (tmp_path / "law.json").write_text(json.dumps(law))
    assert main(["plan", str(tmp_path / "law.json"), "--loss", "2", "--out", str(tmp_path / "plan")]) == 0
    assert "tokens, expect a loss of 2.0000 nats per token" in capsys.readouterr().out
    assert (tmp_path / "plan/figures/budgets.svg").exists()
    assert "give loss or tokens" in fails_on_one_line(["plan", str(tmp_path / "law.json"), "--flops", "1e22"], capsys)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"A": 0.0}, "only a floor may be 0"),
        ({"A": -1.0}, "only a floor may be 0"),
        ({"alpha": -0.1}, "must fall with params and tokens to be planned with"),
    ],
)
def test_laws_that_plan_nothing(changed, said, tmp_path, capsys):
    values = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28} | changed
    law = {"format": "twopart scaling law 1", "form": "chinchilla", "parameters": values}
    (tmp_path / "law.json").write_text(json.dumps(law))
    assert said in fails_on_one_line(["plan", str(tmp_path / "law.json"), "--flops", "1e22"], capsys)


def test_a_knowledge_plan_is_printed_and_written(tmp_path, capsys):
    command = "plan --discount 0.46 --facts-bits 6 --params 1e3 --bits-per-param 2 --statements 1e6 --exposures 15 --rare 1e-9"
    assert main([*command.split(), "--out", str(tmp_path / "plan")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for words in (
        "room for 333.3 facts",
        "The threshold: facts stated less often than once in",
        "it is wrong on",
        "times as often",
    ):
        assert words in out
    assert (tmp_path / "plan/index.html").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("plan", "name a law.json for a training plan, or --discount for a knowledge plan"),
        ("plan law.json", "exactly one of --flops, --params, --tokens, --loss"),
        ("plan law.json --flops 1e22 --params 1e9", "exactly one of"),
        ("plan law.json --discount 0.5", "and not both"),
        ("plan law.json --flops 1e22 --rare 1e-3", "--rare is of no use to a training plan"),
        ("plan law.json --flops nan", "nan"),
        ("plan law.json --flops -1", "`flops` must be"),
        ("plan law.json --flops many", "could not convert string to float: 'many'"),
        ("plan law.json --flops 1e22 --serve-tokens 0", "`serve_tokens` must be"),
        ("plan none.json --flops 1e22", "none.json"),
        ("plan runs.csv --flops 1e22", "runs.csv"),
        ("plan law.json --loss 0.5", "got 0.5; no compute reaches it"),
        ("plan law.json --flops inf", "`flops` must be a number in (0, inf), got inf"),
        ("plan law.json --loss 1e300", "that of a run that can be counted"),
        ("plan law.json --flops 1e22 --bits 4", "the form 'precision' reads it"),
        ("plan law.json --flops 1e22 --max-tokens 0.5", "`max_tokens` must be"),
        ("plan --discount 0.5 --facts-bits 6 --params 1", "1 parameters hold 2 bits and a fact has 6"),
        ("plan --discount 0.5", "needs --facts-bits and --params"),
        ("plan --discount 1.5 --facts-bits 6 --params 1e9", "`discount` must be a number in [0, 1), got 1.5"),
        ("plan --discount 0.5 --facts-bits 0 --params 1e9", "`facts_bits` must be"),
        ("plan --discount 0.5 --facts-bits 6 --params -1", "`params` must be"),
        ("plan --discount 0.5 --facts-bits 6 --params 1e6 --flops 1e22", "--flops is of no use to a knowledge plan"),
        ("plan --discount 0.5 --facts-bits 6 --params 1e6 --rare 2", "`frequency` must be"),
        ("plan --discount 0.5 --facts-bits 6 --params 1e6 --exposures 0", "`exposures` must be"),
        ("plan --discount 0.5 --facts-bits 6 --params 1e6 --out runs.csv", "runs.csv is a file"),
        ("plan fine-tune", "--discount"),
        (f"{FINE_TUNE} --new-facts 1e9 --exposures 9", "new facts are learned but 3.333e+04 fit into the model"),
        (f"{FINE_TUNE} --new-facts 0 --exposures 9", "`new_facts` must be"),
        (f"{FINE_TUNE} --new-facts 9 --exposures -1", "`exposures` must be"),
        (f"{FINE_TUNE} --new-facts 9 --exposures 9 --needed 0", "`needed` must be"),
        (f"{FINE_TUNE} --new-facts 9 --exposures 9 --tolerance 1", "`tolerance` must be"),
        (f"{FINE_TUNE} --new-facts nan --exposures 9", "`new_facts` must be"),
        (f"{FINE_TUNE} --new-facts 9 --exposures 9 --out runs.csv", "runs.csv is a file"),
    ],
)
def test_bad_input_is_told_on_one_line(arguments, said, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert said in fails_on_one_line(arguments.split(), capsys)
