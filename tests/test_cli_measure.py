"""`twopart measure`: what it prints and writes, and one line for every fault of the user."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from twopart.cli import main
from twopart.report import read_findings

LINES = [
    f"word{'abcdefghij'[k % 10]} of {'klmnopq'[k * k % 7]} and the {'rstuvw'[k % 6] * (1 + k % 50)}\n"
    for k in range(600)
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("".join(LINES))
    return tmp_path


def test_it_prints_every_group_and_the_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["measure", "text.txt", "--blocks", "2"]) == 0
    said = capsys.readouterr().out
    assert "1 file: " in said
    assert "3,600 words" in said
    for title in (
        "Pitman-Yor law",
        "Heaps",
        "Zipf",
        "Vocabulary of the whole",
        "Missing mass",
        "Burstiness",
        "Entropy of a",
    ):
        assert title in said
    assert "Entropy of runs of bytes" in said
    assert "How far to trust it." in said
    assert "report:" not in said


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_a_text_may_come_through_a_pipe(name: str) -> None:
    command = [sys.executable, "-m", "twopart", "measure", name]
    done = subprocess.run(command, input=Path("text.txt").read_bytes(), capture_output=True, check=True)
    assert b"1 file: " in done.stdout
    assert b"3,600 words" in done.stdout


def test_what_could_not_be_read_is_told_with_the_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    Path("text.txt").write_bytes("".join(LINES).replace("word", "wörd").encode("latin-1"))
    assert main(["measure", "text.txt"]) == 0
    assert "600 bytes are no UTF-8, the first of them in text.txt: they part words." in capsys.readouterr().out
    assert main(["measure", "text.txt", "--encoding", "latin-1"]) == 0
    said = capsys.readouterr().out
    assert "3,600 words" in said
    assert "bytes are no" not in said
    assert main(["measure", "text.txt", "--encoding", "klingon"]) == 2
    assert "there is no text encoding 'klingon'" in capsys.readouterr().err


@pytest.mark.slow
def test_out_holds_page_and_numbers_and_can_be_written_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", "text.txt", "--unit", "identifiers", "--out", "out"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "report: out/index.html"
    assert json.loads(Path("out/measurement.json").read_text())["corpus"]["unit"] == "identifiers"
    found = read_findings("out")
    assert (len(found.claims), len(found.charts)) == (7, 4)
    assert (
        found.table("forward")["actual"][0]
        == json.loads(Path("out/measurement.json").read_text())["corpus"]["distinct"]
    )
    page = Path("out/index.html").read_bytes()
    Path("out/index.html").unlink()
    assert main(["report", "out"]) == 0
    assert Path("out/index.html").read_bytes() == page
    assert main(["measure", "text.txt", "--out", "out"]) == 0, "an earlier measurement is replaced"
    assert json.loads(Path("out/measurement.json").read_text())["corpus"]["unit"] == "words"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "there is no text to measure; name files or folders"),
        ("missing.txt", "missing.txt does not exist"),
        ("text.txt --out text.txt", "text.txt is a file, not a folder"),
        ("text.txt --out taken", "taken is not empty and holds no measurement.json"),
        ("text.txt --part 2", "`--part` must be a number in [0.001, 0.5], got 2.0"),
        ("text.txt --blocks -1", "`--blocks` must be a whole number in [0, 8]"),
        ("text.txt --unit letters", "invalid choice 'letters'"),
        ("text.txt --tokenizer text.txt", "text.txt is no tokenizer that can be read"),
        ("text.txt --seed -1", "`--seed` must be"),
        ("text.txt --column text", "text.txt is no Parquet file"),
    ],
)
def test_bad_input_is_told_on_one_line(
    arguments: str, said: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("taken").mkdir()
    Path("taken/thesis.tex").write_text("mine")
    assert main(["measure", *arguments.split()]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert told.err.count("\n") == 1
    assert sorted(path.name for path in elsewhere.rglob("*")) == ["taken", "text.txt", "thesis.tex"]


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", "--help"]) == 0
    said = capsys.readouterr().out
    assert "twopart measure books/ --out runs/books" in said
    assert "--tokenizer FILE" in said


def test_exponents_are_foretold_or_refused_in_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    Path("long.txt").write_text("".join(LINES) * 6)
    assert main(["measure", "long.txt", "--foretell"]) == 0
    said = capsys.readouterr().out
    assert "Exponent of data, foretold" in said
    assert "gamma/(2 beta)" in said
    assert "exponents are those of copies" in said
    assert main(["measure", "text.txt", "--foretell"]) == 2
    assert "`documents` must be of at least 100000 bytes" in capsys.readouterr().err
    assert main(["measure", "-", "--foretell"]) == 2
    assert "give a file" in capsys.readouterr().err
