"""The command line: what it prints, what it returns, and one line for every fault of the user."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.studies import CIRCLE
from twopart import __version__, _files, cli
from twopart._checks import InputError
from twopart.cli import COMMANDS, main
from twopart.cli.faults import one_line
from twopart.cli.run_table import size
from twopart.lab.folder import lock_folder
from twopart.worlds import render

TINY = ["run", CIRCLE, "--preset", "tiny", "--device", "cpu"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has an empty folder to itself."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fails_on_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The line that the command prints; nothing else is printed, and the code is 2."""
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("twopart: ")
    assert said.err.count("\n") == 1
    assert said.err.endswith("\n")
    assert "Traceback" not in said.err
    assert not set("│╭╰─") & set(said.err)
    return said.err


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_the_overview_has_an_example_for_each_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    said = capsys.readouterr().out
    for name, (summary, example) in COMMANDS.items():
        assert f"  {name} " in said
        assert summary in said
        assert example in said
    assert max(map(len, said.splitlines())) <= 100


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"twopart {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--help"], ["Names of studies", "data-law: How does", "--dry-run", "--resume", "--preset"]),
        (["run", "-h"], ["twopart run data-law --preset tiny"]),
        (
            ["run", CIRCLE, "--help"],
            ["Points per round; >= 1", "(default: 2000)", f"twopart run {CIRCLE} --preset tiny"],
        ),
        (["run", CIRCLE, "--preset", "full", "--help"], ["(default: 4000)", "(default: runs/STUDY)"]),
        (["run", "--preset=full", CIRCLE, "--help"], ["(default: 4000)"]),
        (["studies", "--help"], ["Example: twopart studies"]),
        (
            ["sample", "--help"],
            ["twopart sample --sentences 100000", "in [0, 1)", "(default: corpus.parquet, or the folder corpus)"],
        ),
        (["report", "--help"], ["Example: twopart report runs/data-law", "The run folder."]),
    ],
)
def test_every_command_explains_itself(
    arguments: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert all(part in out for part in said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("rnu", "there is no command 'rnu'; did you mean `run`?"),
        (
            "zzz",
            "there is no command 'zzz'; there is run, studies, sample, compress, decompress, measure, fit, plan, probe, report",
        ),
        ("run", "name a study to run: acquisition, bits-per-parameter, "),
        ("run --preset tiny", "name a study to run"),
        ("run data-lav", "there is no study 'data-lav'; did you mean 'data-law'?"),
        ("run disc.py", "there is no file disc.py; name a study, or the path of a study's file"),
        (f"run {CIRCLE} data_law", "there is no study 'data_law'; did you mean 'data-law'?"),
        (f"run {CIRCLE} --points 0", "`points` must be a whole number >= 1, got 0; the default is 1000"),
        (
            f"run {CIRCLE} --points many",
            "--points: invalid literal for int() with base 10: 'many'; see `twopart run ",
        ),
        (f"run {CIRCLE} --points", "Missing value for argument '--points'"),
        (f"run {CIRCLE} --point 3", "--point, 3; did you mean --points?"),
        (f"run {CIRCLE} --qqq", "Unrecognized options: --qqq"),
        (
            f"run {CIRCLE} --preset huge",
            "invalid choice 'huge' for argument '--preset'. Expected one of ('tiny', 'small', 'full')",
        ),
        (f"run {CIRCLE} --trouble raze", "`trouble` must be one of 'none', 'raise'"),
        (f"run {CIRCLE} --true-area nan", "`true_area` must be a number, got nan"),
        (f"run {CIRCLE} --seed -1", "`--seed` must be a whole number in [0, 9223372036854775807], got -1"),
        (f"run {CIRCLE} --seed x", "--seed: invalid literal"),
        (
            f"run {CIRCLE} --workers 0",
            "`--workers` must be a whole number >= 1, got 0; 1 runs one cell after the other",
        ),
        (f"run {CIRCLE} --workers 0 --dry-run", "`--workers` must be"),
        (f"run {CIRCLE} --device gpu", "`device` must be one of"),
        (
            f"run {CIRCLE} --out taken",
            "taken is not empty and not a run folder: it holds 'thesis.tex' and no config.json",
        ),
        (f"run {CIRCLE} --out taken/thesis.tex", "taken/thesis.tex is a file, not a folder"),
        (f"run {CIRCLE} --out taken/thesis.tex/run", "a part of the path is a file, not a folder"),
        (f"run {CIRCLE} {CIRCLE} --points 3 --out taken", "taken is not empty"),
        ("studies circle", "Unrecognized options: circle"),
        ("sample --discount 1.2", "`discount` must be a number in [0, 1), got 1.2"),
        ("sample --concentration -3", "`concentration` must be"),
        ("sample --sentences 0", "`--sentences` must be a whole number >= 1, got 0"),
        ("sample --show -1", "`--show` must be a whole number >= 0, got -1"),
        ("sample --stream -1", "`--stream` must be"),
        ("sample --sentences 1.5", "1.5 is not a whole number"),
        ("sample --shard 1", "`--shard` must be left out without --shards, got 1"),
        ("sample --shards 4 --shard 4", "`--shard` must be a whole number in [0, 3], got 4"),
        ("sample --sentences 3 --shards 4", "`--shards` must be a whole number in [0, 3], got 4"),
        ("sample --shards 4 --workers 0", "`--workers` must be a whole number >= 1, got 0"),
        ("sample --shards 4 --out taken", "it holds 'thesis.tex'; choose another with --out"),
        ("sample --rendering klingon", "invalid choice 'klingon'"),
        ("sample --out taken/thesis.tex", "taken/thesis.tex exists; remove it, or name another file with --out"),
        ("sample --out taken/thesis.tex/corpus", "taken/thesis.tex: there is a file where a folder is needed"),
        ("report", "folder"),
        ("report nowhere", "nowhere is not a run folder: there is no config.json in it"),
        ("report taken", "taken is not a run folder"),
    ],
)
def test_bad_input_is_told_on_one_line(
    arguments: str, said: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "taken").mkdir()
    (elsewhere / "taken/thesis.tex").write_text("mine")
    assert said in fails_on_one_line(arguments.split(), capsys)
    assert sorted(path.name for path in elsewhere.rglob("*")) == ["taken", "thesis.tex"], "nothing is left behind"


def test_a_run_prints_its_claims_and_the_report_last(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TINY, "--out", "out"]) == 0
    out = capsys.readouterr().out
    assert [line.rstrip() for line in out.splitlines()] == [
        "",
        "Circle",
        "",
        "holds  The area of the unit circle is what the config says.",
        "       predicted 3.142, measured 3.152 (3.11 to 3.194)",
        "",
        "1 claim: 1 holds, 0 fail, 0 inconclusive",
        "report: out/index.html",
    ]
    assert (elsewhere / "out/index.html").exists()


def test_a_claim_that_fails_makes_the_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TINY, "--true-area", "3"]) == 1
    assert "fails" in capsys.readouterr().out
    assert Path("runs/circle/index.html").exists()


def test_several_studies_go_to_folders_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("disc.py").write_text(Path(CIRCLE).read_text())
    assert main(["run", CIRCLE, "disc.py", "--preset", "tiny", "--out", "both", "--device", "cpu"]) == 0
    assert Path("both/circle/index.html").exists()
    assert Path("both/disc/index.html").exists()


def test_a_run_is_not_run_over_and_the_command_that_continues_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(TINY) == 0
    capsys.readouterr()
    line = fails_on_one_line(TINY, capsys)
    assert "runs/circle holds this run already; continue it with `" in line
    assert f" run {CIRCLE} --preset tiny --device cpu --resume`, or choose another folder with --out" in line
    assert "config.points is 1000 there and 5 here" in fails_on_one_line([*TINY, "--points", "5", "--resume"], capsys)
    assert main([*TINY, "--resume"]) == 0


def test_a_dry_run_tells_the_cost_and_writes_nothing(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cell sleeps 20 seconds in 400 rounds; two seconds of it tell."""
    assert (
        main(["run", CIRCLE, "--cells", "2", "--pause", "0.05", "--rounds", "400", "--dry-run", "--workers", "2"]) == 0
    )
    out = capsys.readouterr().out
    assert out.index("what would be run") < out.index("throw 0: ")
    seconds = [int(found) for found in re.findall(r"throw \d: (\d+) s and \d+ MB each", out)]
    assert len(seconds) == 2
    assert all(14 <= each <= 26 for each in seconds)
    assert "on 2 workers, up to " in " ".join(out.split())
    assert list(elsewhere.iterdir()) == []


def test_the_report_is_written_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(TINY) == 0
    files = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
    Path("runs/circle/index.html").unlink()
    Path("runs/circle/figures/hits.png").unlink()
    assert main(["report", "runs/circle"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "report: runs/circle/index.html"
    assert {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()} == files


@pytest.mark.parametrize("name", ["claims.json", "tables/hits.parquet", "figures/hits.json", "environment.json"])
def test_a_damaged_run_folder_is_told_by_file(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(TINY) == 0
    capsys.readouterr()
    path = Path("runs/circle") / name
    path.write_bytes(path.read_bytes()[:50])
    assert name in fails_on_one_line(["report", "runs/circle"], capsys)
    path.unlink()
    assert name in fails_on_one_line(["report", "runs/circle"], capsys)


def test_a_busy_folder_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("twopart.lab.folder._PATIENCE", 0.1)
    lock = lock_folder(Path("runs/circle"))
    try:
        assert "another process is running in runs/circle" in fails_on_one_line(TINY, capsys)
    finally:
        os.close(lock)


@pytest.mark.parametrize("where", ["cell", "report"])
def test_a_full_disk_is_told_and_what_was_finished_is_kept(
    where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*TINY, *(["--trouble", "disk"] if where == "cell" else [])]
    write = _files.write_bytes

    def full(path: Path, data: bytes) -> None:
        if Path(path).name == "claims.json":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, data)

    if where == "report":
        monkeypatch.setattr("twopart.report.page.write_bytes", full)
    assert main([*arguments, "--workers", "1"]) == 2
    said = capsys.readouterr()
    assert said.err.splitlines()[-1].endswith("the disk is full; free some space or choose another disk")
    assert len(list(Path("runs/circle/cells").glob("*/metrics.parquet"))) == (3 if where == "cell" else 4)
    assert not Path("runs/circle/index.html").exists()


def test_a_file_that_grows_too_large_is_told_and_not_left_behind(elsewhere: Path) -> None:
    command = f"ulimit -f 100; exec {sys.executable} -m twopart sample --sentences 300000"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "the file would be larger than the system allows; raise the limit (ulimit -f)" in done.stderr
    assert list(elsewhere.iterdir()) == []


def test_a_fault_of_a_cell_shows_its_traceback_and_the_command_that_continues(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*TINY, "--trouble", "raise"]) == 70
    said = capsys.readouterr().err
    assert "throw 3 failed: RuntimeError: the circle is not round" in said
    assert "in make_trouble" in said
    assert said.splitlines()[-1].endswith(f"run {CIRCLE} --preset tiny --device cpu --trouble raise --resume")


def test_a_fault_of_twopart_shows_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("circle.summary", lambda found: 1 / 0)
    assert main(TINY) == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("`a` must be\n even"), "`a` must be even"),
        (OSError(errno.ENOSPC, "x", "file"), "file: the disk is full; free some space or choose another disk"),
        (
            PermissionError(errno.EACCES, "x", "file"),
            "file: no permission; choose another place or change its permissions",
        ),
        (OSError(errno.EROFS, "x"), "the file system is read-only; choose another place"),
        (FileNotFoundError(errno.ENOENT, "x", "file"), None),
        (ValueError("x"), None),
        (KeyError("x"), None),
    ],
)
def test_only_the_users_faults_are_told_on_a_line(error: Exception, line: str | None) -> None:
    assert one_line(error) == line


@pytest.mark.parametrize(("count", "words"), [(3.5e8, "350 MB"), (1.24e9, "1.2 GB"), (2e6, "2 MB")])
def test_sizes_read_well(count: float, words: str) -> None:
    assert size(count) == words


def test_ctrl_c_anywhere_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_dispatch", interrupted)
    assert main(["studies"]) == 130
    assert capsys.readouterr().err == "twopart: interrupted\n"


def test_as_a_module_and_into_a_closed_pipe() -> None:
    command = f"{sys.executable} -m twopart studies | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_sample_is_the_worlds_and_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    from twopart.worlds import SyntaxKnowledge, read_corpus

    arguments = "sample --sentences 500 --discount 0.6 --concentration 2 --seed 3 --stream 4 --show 2 --out c.parquet"
    assert main(arguments.split()) == 0
    expected = SyntaxKnowledge(0.6, 2.0, seed=3).sample(500, stream=4)
    assert read_corpus("c.parquet") == expected
    assert capsys.readouterr().out.splitlines() == [
        *render(expected[:2], "english").texts,
        "500 sentences in c.parquet",
    ]


def test_a_sample_may_hold_its_text() -> None:
    assert main(["sample", "--sentences", "50", "--out", "plain.parquet"]) == 0
    assert main(["sample", "--sentences", "50", "--rendering", "english", "--out", "more.parquet"]) == 0
    from twopart.worlds import read_corpus

    assert read_corpus("plain.parquet") == read_corpus("more.parquet")
    assert Path("more.parquet").stat().st_size > Path("plain.parquet").stat().st_size
