"""`twopart fit --form batch` and `twopart plan batch.json`: planted sweeps, training curves, and one line for every fault."""

import json

import numpy as np
import pytest

from tests.test_cli import fails_on_one_line
from twopart._checks import InputError
from twopart.cli import main
from twopart.fits import critical_batch_size
from twopart.report import read_findings
from twopart.tools.fit import BatchFit, Mapping, fit_batches
from twopart.tools.plan import plan_batches

LAW = {"format": "twopart scaling law 1", "form": "chinchilla"}
LAW["parameters"] = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
BATCHES = (16, 64, 256, 1024)
QUICK = ["--form", "batch", "--resamples", "100"]


def steps(batch, critical):
    """a + c/B whose B*, from 16 by 20 %, is as given; 1000 steps at 16."""
    ratio = (critical - 1.2 * 16) / 0.2
    return 1000 * (1 + ratio / batch) / (1 + ratio / 16)


def table(name, rows, header="Params (M),Tokens (B),Global Batch Size,steps_to_target"):
    name.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return name


@pytest.fixture
def sweeps(tmp_path):
    """Three sweeps: B* = 40 N^0.1 D^0.5, N in millions and D in billions."""
    sizes = ((1, 1), (10, 1), (10, 4))
    rows = [(N, D, B, f"{steps(B, 40 * N**0.1 * D**0.5):.6f}") for N, D in sizes for B in BATCHES]
    return table(tmp_path / "sweeps.csv", rows)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_planted_sweeps_come_back(sweeps, capsys):
    assert main(["fit", str(sweeps), *QUICK, "--out", "out"]) == 0
    said = capsys.readouterr().out
    assert "D^0.5 " in said
    assert "N^0.1 " in said
    found = BatchFit.read("out/batch.json")
    assert [one.fit.value for one in found.sweeps] == pytest.approx([40, 40 * 10**0.1, 80 * 10**0.1], rel=1e-4)
    assert [one.sizes["params"] for one in found.sweeps] == [1e6, 1e7, 1e7]
    assert found.scaling.predict(data=9e9, model=1e6) == pytest.approx(120, rel=1e-3)
    data = json.loads((sweeps.parent / "out/batch.json").read_text())
    assert data["sweeps"][0]["critical"] == pytest.approx(40, rel=1e-4)
    report = read_findings(sweeps.parent / "out")
    assert report.table("critical").height == 3
    assert [chart.name for chart in report.charts] == ["steps"]
    assert (
        main(["fit", str(sweeps), *QUICK, "--out", "out", "--reference", "0", "--overhead", "1"]) == 0
    )  # written over


def test_a_plan_of_sweeps(sweeps, capsys):
    fit_batches(sweeps, resamples=100).write("batch.json")
    assert main(["plan", "batch.json", "--per-device", "8", "--out", "plan"]) == 0
    said = capsys.readouterr().out
    assert "more devices pay up to batches of 40 (40 to 40), 5 devices of 8." in said
    assert read_findings(sweeps.parent / "plan").table("batches")["devices"][0] == 5
    plan = plan_batches(BatchFit.read("batch.json"), params=1e6, tokens=9e9)
    assert plan.predicted == pytest.approx(120, rel=1e-3)
    (sweeps.parent / "law.json").write_text(json.dumps(LAW))
    assert main(["plan", "law.json", "--flops", "1e18", "--batches", "batch.json", "--per-device", "4"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "devices of 4" in line)
    assert "more devices pay up to batches of" in line
    assert "an extrapolation" in line


def test_training_curves_are_followed_to_the_target(tmp_path):
    """Losses 8000/(step/T(B)·1000): a loss of 8 at T(B); the other learning rate takes twice as long, and one never arrives."""
    rows = []
    for B in BATCHES:
        for lr, slow in ((0.1, 1.0), (0.2, 2.0), (0.3, 1e9)):
            T = slow * steps(B, 60)
            rows += [(B, lr, f"{s:.6f}", 8000 / (s / T * 1000)) for s in T * np.array([0.3, 0.7, 1.6, 4])]
    path = table(tmp_path / "curves.csv", rows, "batch,lr,step,val_loss")
    found = fit_batches(path, target=8.0, resamples=100)
    assert found.sweeps[0].fit.value == pytest.approx(60, rel=1e-3)
    assert found.scaling is None
    again = fit_batches(path, Mapping(batch="batch", steps="step", loss="val_loss"), target=8.0, resamples=100)
    assert again.sweeps[0].fit.value == found.sweeps[0].fit.value
    with pytest.raises(InputError, match="with losses in 'val_loss'; say the loss to reach with --target"):
        fit_batches(path)
    with pytest.raises(InputError, match=r"no run reaches a loss of 0.001"):
        fit_batches(path, target=0.001)


def test_the_best_of_a_sweep_counts_and_gaps_are_told(tmp_path):
    rows = [(B, s) for B in BATCHES for s in (steps(B, 60), 2 * steps(B, 60))]
    found = fit_batches(table(tmp_path / "t.csv", [*rows, (4096, "")], "bs,updates"), reference=16, resamples=100)
    assert found.sweeps[0].fit.value == pytest.approx(60, rel=1e-6)
    assert any("8 rows are 4 batch sizes" in note for note in found.notes)
    assert any("with a gap left out: line 10" in note for note in found.notes)
    expected = critical_batch_size(BATCHES, [steps(B, 60) for B in BATCHES], reference=16, resamples=100)
    assert found.sweeps[0].fit.interval() == pytest.approx(expected.interval())


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("a,b\n1,2\n", [], "no column looks like"),
        ("batch,steps\n1,2\n2,2\n", [], "at least 3 different sizes, got [1.0, 2.0]"),
        ("batch,steps\n1,2\n2,-2\n3,1\n", [], "line 3: 'steps' must be finite and > 0, got '-2'"),
        ("batch,steps\n1,two\n", [], "'steps' must be a number"),
        ("batch,steps\n1,2\n2,2\n3,1\n", ["--target", "3"], "no column looks like loss"),
        ("batch,steps,loss\n1,2,3\n1,2,3\n", ["--target", "3"], "a step comes twice in a run"),
        ("batch,steps\n1,2\n", ["--target", "0"], "`--target`"),
        ("batch,steps\n1,2\n", ["--overhead", "0"], "`--overhead`"),
        ("batch,steps\n1,2\n", ["--reference", "-1"], "`--reference`"),
        ("batch,steps\n1,2\n", ["--batch", "size"], "there is no column 'size' for --batch"),
    ],
)
def test_faults_of_a_fit_are_one_line(text, options, said, tmp_path, capsys):
    (tmp_path / "t.csv").write_text(text)
    assert said in fails_on_one_line(["fit", "t.csv", *QUICK, *options, "--out", "new"], capsys)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["batch.json", "--flops", "1e20"], "--flops is of no use to a plan of batch sizes"),
        (["batch.json", "--params", "1e9"], "give --params and --tokens"),
        (["batch.json", "--per-device", "0"], "`per_device`"),
        (["law.json", "--flops", "1e20", "--per-device", "2"], "name their batch.json with --batches"),
        (["law.json", "--flops", "1e20", "--batches", "law.json"], "is no batch.json"),
        (["broken.json"], "holds no sweeps"),
    ],
)
def test_faults_of_a_plan_are_one_line(options, said, sweeps, capsys):
    fit_batches(sweeps, resamples=100).write("batch.json")
    (sweeps.parent / "law.json").write_text(json.dumps(LAW))
    (sweeps.parent / "broken.json").write_text('{"format": "twopart critical batch 1", "source": "x", "sweeps": [{}]}')
    assert said in fails_on_one_line(["plan", *options], capsys)


def test_options_of_a_sweep_are_refused_by_other_forms(sweeps, capsys):
    assert "it is for --form batch" in fails_on_one_line(["fit", str(sweeps), "--target", "3"], capsys)
