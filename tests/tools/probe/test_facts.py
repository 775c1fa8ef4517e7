"""Tables of facts, invented subjects, and counts in a corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.tools.probe import read_facts
from twopart.tools.probe.counting import counts
from twopart.tools.probe.facts import SHIPPED
from twopart.tools.probe.twins import invent, invent_for

TEMPLATE = ("{subject} is in",)
ROWS = "Paris,France,9\nLyon,France|the French Republic,3\nMexico City,Mexico,8\nOslo,Norway,2\n"


def table(folder: Path, text: str) -> Path:
    (folder / "facts.csv").write_text(text)
    return folder / "facts.csv"


def test_forms_groups_and_left_out_rows(tmp_path: Path) -> None:
    facts = read_facts(table(tmp_path, "subject,answer,frequency\n" + ROWS), templates=TEMPLATE)
    assert facts.subject == ("Paris", "Lyon", "Oslo")
    assert facts.left_out == 1
    assert facts.candidates == (("France", "the French Republic"), ("Mexico",), ("Norway",))
    assert facts.answer.tolist() == [0, 0, 2]
    assert facts.group == ("France", "France", "Norway")
    assert facts.frequency is not None
    assert facts.frequency.tolist() == [9, 3, 2]
    assert facts.other is None
    few = facts.sampled(2, 0)
    assert len(few) == 2
    assert few.weight.tolist() == [1.5, 1.5]
    assert facts.questions(facts.templates[0], 0, ["Nantes"]) == ["Nantes is in"]


def test_prompts_of_their_own_and_candidates_of_a_file(tmp_path: Path) -> None:
    path = table(tmp_path, "subject,answer,prompt\nOslo,Norway,Where is Oslo? In\nRome,Italy,Rome lies in\n")
    (tmp_path / "all.txt").write_text("Italy|Italia\nNorway\nSpain\n")
    facts = read_facts(path, candidates=tmp_path / "all.txt")
    assert facts.names == ("Italy", "Norway", "Spain")
    assert facts.questions("", 0, ["Bergen", "Voss"]) == ["Where is Bergen? In", "Where is Voss? In"]


def test_two_columns_are_two_proxies(tmp_path: Path) -> None:
    path = table(tmp_path, "subject,answer,people,mentions\nOslo,Norway,9,2\nRome,Italy,8,5\n")
    facts = read_facts(path, templates=TEMPLATE, frequency="people, mentions")
    assert facts.frequency is not None
    assert facts.other is not None
    assert (facts.frequency.tolist(), facts.other.tolist()) == ([9, 8], [2, 5])


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_can_be_read(name: str) -> None:
    facts = read_facts(name)
    assert len(facts) > 200
    assert facts.frequency is not None
    assert facts.twins is not None
    assert sum(map(len, facts.twins)) > 0.5 * len(facts)
    assert not set(facts.subject) & {twin for twins in facts.twins for twin in twins}


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("subject,object\na,b\n", {}, "has no column 'answer'; it has subject, object"),
        ("subject,answer\na,\n", {}, "row 2: no answer"),
        ("subject,answer\na,x\nb,y\na,z\n", {}, "rows 2 and 4: 'a' is there with two answers, 'x' and 'z'"),
        ("subject,answer\na,x\na,x\n", {}, "rows 2 and 3: 'a' is there twice"),
        ("subject,answer,frequency\nk,x,1\nl,y,0\n", {}, "row 3: frequency is '0', not a number > 0"),
        ("subject,answer\nk,x\nl,y\n", {"frequency": "size"}, "has no column 'size'"),
        ("subject,answer,a\nk,x,1\nl,y,1\n", {"frequency": "a,b"}, "has no column 'b'"),
        ("subject,answer,a\nk,x,1\nl,y,1\n", {"frequency": "a,a,a"}, "one or two proxies are read"),
        ("subject,answer\nk,x\nl,y\n", {"templates": ()}, "has no column prompt; give a template"),
        ("subject,answer\nk,x\nl,y\n", {"templates": TEMPLATE * 2}, "a template is given twice"),
        ("subject,answer\nk,x\nl,y\n", {"templates": ("in",)}, "must have {subject} once"),
        ("subject,answer\nk,x\nl,x\n", {}, "has 1 candidates"),
        ("subject,answer,prompt\nk,x,where?\nl,y,l is\n", {}, "row 2: its prompt lacks the subject 'k'"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, text: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_facts(table(tmp_path, text), **{"templates": TEMPLATE, **options})  # type: ignore[arg-type]
    assert said in str(refused.value)


def test_twins_are_new_and_look_like_their_group() -> None:
    names = [f"{a}{b}ville" for a in ("Mont", "Bel", "Char", "Grand") for b in ("re", "fla", "tou", "mi")]
    twins = invent(names, 12, np.random.default_rng(0), ["Montreville"])
    assert len(set(twins)) == len(twins)
    assert not set(twins) & set(names)
    assert all(len(twin) >= 4 and twin.endswith("ville") for twin in twins)
    made = invent_for([*names, "Oslo"], ["f"] * len(names) + ["n"], 1, 0)
    assert made[-1] == (), "a group of one name can only be copied"


def test_sentences_are_counted_as_a_plain_loop_counts_them(tmp_path: Path) -> None:
    facts = read_facts(
        table(tmp_path, "subject,answer\nNew York,USA|United States\nYork,England\n"), templates=TEMPLATE
    )
    text = "New York is in the USA. York is not! NEW   YORK, in the\nunited states? In york, England; York again. Yorkshire"
    (tmp_path / "corpus.txt").write_text(text)
    subjects, both = counts(facts, [tmp_path / "corpus.txt"])
    assert subjects.tolist() == [2, 4]
    assert both.tolist() == [1, 1]
