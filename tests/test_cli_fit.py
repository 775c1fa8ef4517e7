"""`twopart fit`: the law that is planted, what is printed and written, and one line for every fault."""

import json
from pathlib import Path

import pytest

from tests.fits.scaling.published import greek
from tests.test_cli import fails_on_one_line
from tests.tools.runs import TRUTH, csv
from twopart.cli import main
from twopart.fits.scaling import Law
from twopart.report import read_findings
from twopart.tools.fit import Mapping, findings, fit_table, read_runs

QUICK = ["--resamples", "100"]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished fit: its folder."""
    folder = tmp_path_factory.mktemp("fit")
    (folder / "runs.csv").write_text(csv("Model Size,Training Tokens,val_loss"))
    assert main(["fit", str(folder / "runs.csv"), *QUICK, "--out", str(folder / "out")]) == 0
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_planted_law_is_in_the_file(done):
    law = Law.read(done / "out/law.json")
    for name, value in TRUTH.items():
        low, high = law.interval(name)
        assert low - 0.5 * (high - low) < value < high + 0.5 * (high - low)
    assert law.alpha == pytest.approx(TRUTH["alpha"], rel=0.1)
    assert json.loads((done / "out/law.json").read_text())["form"] == "chinchilla"


def test_the_page_shows_data_surface_residuals_intervals_and_plan(done):
    found = read_findings(done / "out")
    assert [chart.name for chart in found.charts] == ["surface", "runs", "residuals", "intervals", "plan"]
    panels = next(chart.spec for chart in found.charts if chart.name == "residuals")["hconcat"]
    assert len(panels) == 3, "against parameters, tokens and compute"
    assert {table.name for table in found.tables} == {"parameters", "plan", "runs"}
    runs = found.table("runs")
    assert runs["run"][0] == "line 37", "the run that went wrong is called by its line, and comes first"
    assert runs["outlier"][0]
    assert len(runs) == 36
    assert all((done / "out/figures" / f"{chart.name}.png").stat().st_size > 1000 for chart in found.charts)
    assert "line 37" in found.summary
    assert "column 'Model Size', guessed" in found.summary
    verdicts = {claim.statement.split(" ")[0]: claim.verdict for claim in found.claims}
    assert verdicts["No"] == "fails"
    assert verdicts["Most"] == "holds"


def test_the_page_is_written_again(done, capsys):
    (done / "out/index.html").unlink()
    assert main(["report", str(done / "out")]) == 0
    assert (done / "out/index.html").exists()


def test_what_is_printed(elsewhere, capsys):
    Path("runs.csv").write_text(csv())
    assert main(["fit", "runs.csv", *QUICK, "--drop-highest", "2", "--name", "tokens"]) == 0
    said = capsys.readouterr()
    out = " ".join(said.out.split())
    assert "L = E + A / N^alpha + B / D^beta" in out
    assert "95 % interval least absolute deviations" in out
    assert "starts reached the optimum" in out
    assert "largest runs" in out
    assert "Left out on request, as the highest losses:" in out
    assert "law: runs/fit/law.json" in out
    assert said.out.splitlines()[-1] == "report: runs/fit/index.html"
    assert "params: column 'params', guessed" in said.err
    assert main(["fit", "runs.csv", *QUICK]) == 0, "a fit may be written over an earlier one"


@pytest.mark.parametrize("objective", ["huber", "squares", "lad"])
def test_a_table_without_a_floor_and_with_endless_draws(elsewhere, objective, capsys):
    """Twelve published runs: some resamples have an A beyond 1e308, and no law of them has a floor."""
    runs = zip(*greek().values(), strict=True)
    Path("runs.csv").write_text("N,D,loss\n" + "".join(f"{n:g},{d:g},{loss}\n" for n, d, loss in runs))
    assert main(["fit", "runs.csv", "--objective", objective, "--resamples", "1000", "--seed", "3"]) == 0
    said = capsys.readouterr()
    assert all("guessed" in line for line in said.err.splitlines())
    floor = next(line.split() for line in said.out.splitlines() if line.startswith("E "))
    assert floor[:4:2] == ["E", "0"]
    assert float(floor[4]) > 0.5
    law = Law.read("runs/fit/law.json")
    assert law.to_json() == json.loads(Path("runs/fit/law.json").read_text())
    assert law.E == 0
    assert Path("runs/fit/index.html").exists()
    assert main(["plan", "runs/fit/law.json", "--flops", "1e18"]) == 0
    assert capsys.readouterr().err == ""


def test_a_form_of_one_input(elsewhere, capsys):
    rows = "\n".join(f"{10**k:g},{2 + 50 * 10 ** (-0.3 * k):.6f}" for k in (6, 6.5, 7, 7.5, 8, 8.5, 9))
    Path("runs.csv").write_text(f"D,loss\n{rows}\n")
    fitted = fit_table(read_runs("runs.csv", Mapping(), ("tokens",)), "data", resamples=100)
    assert fitted.fit.beta == pytest.approx(0.3, rel=0.01)
    found = findings(fitted)
    assert [chart.name for chart in found.charts] == ["surface", "residuals", "intervals"]
    assert [table.name for table in found.tables] == ["parameters", "runs"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("fit", "RUNS"),
        ("fit none.csv", "none.csv does not exist; name a CSV or Parquet file"),
        ("fit . --form data", ". is a folder"),
        ("fit runs.csv --form cubic", "invalid choice 'cubic'"),
        ("fit runs.csv --params size", "there is no column 'size' for --params; there is 'params', 'tokens', 'loss'"),
        ("fit runs.csv --unit nits", "invalid choice 'nits'"),
        ("fit runs.csv --drop-highest -1", "`--drop-highest` must be a whole number >= 0, got -1"),
        ("fit runs.csv --drop-highest 36", "drop_highest"),
        ("fit runs.csv --drop-highest 33", "`runs` must be at least 6"),
        ("fit runs.csv --resamples 3", "`--resamples` must be"),
        ("fit runs.csv --delta 0", "`--delta` must be"),
        ("fit runs.csv --seed x", "--seed: invalid literal"),
        ("fit runs.csv --out taken", "taken is not empty and holds no law.json"),
        ("fit runs.csv --out runs.csv", "runs.csv is a file, not a folder"),
        ("fit runs.csv --form repeated", "no column looks like unique_tokens; name it with --unique-tokens COLUMN"),
        ("fit short.csv", "`runs` must be at least 6"),
        ("fit flat.csv", "`params` must be of more than one value"),
        (
            "fit twice.csv",
            "line 38 (as 6) repeats a run; a copy counts one run twice: take it out, or say --keep-duplicates",
        ),
        ("fit big.csv", "line 38: 'loss' must be a loss in nats, <= 20, got '55'; for perplexities say --unit ppl"),
        ("fit words.csv", "words.csv, line 2: 'loss' must be a number, got 'low'"),
    ],
)
def test_bad_input_is_told_on_one_line(arguments, said, elsewhere, capsys):
    Path("runs.csv").write_text(csv())
    lines = csv().splitlines()
    Path("short.csv").write_text("\n".join(lines[:4]))
    flat = [lines[0], *(f"1e8,{i}e9,{3 - i / 50}" for i in range(1, 37))]
    Path("flat.csv").write_text("\n".join(flat))
    Path("twice.csv").write_text("\n".join([*lines, lines[5]]))
    Path("big.csv").write_text("\n".join([*lines, "1e9,1e10,55"]))
    Path("words.csv").write_text("params,tokens,loss\n1,2,low\n")
    Path("taken").mkdir()
    Path("taken/thesis.tex").write_text("mine")
    before = set(elsewhere.rglob("*"))
    line = _line(arguments, capsys)
    assert said in line
    assert set(elsewhere.rglob("*")) == before, "nothing is left behind"


def _line(arguments, capsys):
    """The last line on stderr; guesses may come before it."""
    assert main(arguments.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[-1].startswith("twopart: ")
    assert all("guessed" in line for line in lines[:-1])
    return lines[-1]


def test_help_and_no_such_option(capsys):
    assert main(["fit", "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "twopart fit wandb.csv --params config.n_params" in out
    assert "did you mean --tokens?" in fails_on_one_line(["fit", "runs.csv", "--token", "d"], capsys)
