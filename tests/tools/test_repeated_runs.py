"""Runs that are not independent: copies, sweeps, seeds, training curves; and names that tell runs apart."""

import numpy as np
import pytest

from tests.tools.tables import HEADER, RUNS, check_law, parquet, read, same, text
from twopart._checks import InputError
from twopart.tools.fit import Mapping, findings, fit_table
from twopart.tools.fit.fitted import needs

SWEEP = {0.0003: 1.03, 0.001: 1.0, 0.003: 1.01}
STEPS = 10


def sweep(name="lr", factors=SWEEP):
    rows = "".join(f"{n},{d},{value},{loss * factor}\n" for n, d, loss in RUNS for value, factor in factors.items())
    return f"params,tokens,{name},loss\n{rows}"


def curve(name="run", step="step", start=0):
    """Loss falls along a run to that of the table; the first row is before the first step."""
    rows = "".join(
        f"r{i},{s},{n},{d * s / STEPS},{loss * (1 + 0.1 * (STEPS - s))}\n"
        for i, (n, d, loss) in enumerate(RUNS)
        for s in range(start, STEPS + 1)
    )
    return f"{name},{step},params,tokens,loss\n{rows}"


def test_copies_are_named_by_file_and_line(tmp_path):
    lines = text().splitlines()
    content = "\n".join([*lines[:21], ",2000000000,3.1", lines[8], lines[12], *lines[21:]]) + "\n"
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'runs.csv'}: lines 23 (as 9), 24 (as 13) repeat runs")
    assert said.endswith("say --keep-duplicates")
    table = read(tmp_path, content, keep_duplicates=True)
    assert len(table) == 38
    assert fit_table(table, resamples=100).fit.alpha == pytest.approx(0.342, abs=0.01)


def test_many_copies_end_in_a_short_line(tmp_path):
    with pytest.raises(InputError, match="and 26 more repeat runs") as caught:
        read(tmp_path, text(runs=[*RUNS, *RUNS]))
    assert len(str(caught.value)) < 400


def test_equal_losses_of_other_seeds_are_no_copies(tmp_path):
    table = read(tmp_path, sweep("seed", {0: 1.0, 1: 1.0}))
    assert len(table) == 72
    assert any("seed differs" in note and "--keep mean" in note for note in table.notes)


def test_a_sweep_is_told_and_its_best_can_be_kept(tmp_path):
    table = read(tmp_path, sweep())
    assert len(table) == 108
    (note,) = (note for note in table.notes if "share their" in note)
    assert note == (
        "108 of the 108 runs share their params and tokens with others, 36 times, with losses 3.00% apart in the median; "
        "lr differs: all are fitted (--keep best fits the lowest loss of each)"
    )
    best = read(tmp_path, sweep(), keep="best")
    assert same(best, rel=1e-9)
    assert best.names[:2] == ("line 3", "line 6")
    assert any("only the lowest loss of each is kept" in note for note in best.notes)
    check_law(best)


def test_the_mean_of_seeds(tmp_path):
    content = sweep("seed", {0: 0.99, 1: 1.0, 2: 1.01})
    mean = read(tmp_path, content, keep="mean")
    assert same(mean, rel=1e-9)
    check_law(mean)
    with pytest.raises(InputError, match="`keep` must be one of 'all', 'best', 'mean', got 'worst'"):
        read(tmp_path, content, keep="worst")


def test_no_word_where_nothing_is_repeated(tmp_path):
    assert not any("share" in note or "curve" in note for note in read(tmp_path, text()).notes)


@pytest.mark.parametrize(
    ("name", "step"),
    [("run", "step"), ("model", "_step"), ("run_id", "x"), ("y", "global_step"), ("config.run", "trainer/global_step")],
)
def test_the_last_points_of_curves_are_the_runs(name, step, tmp_path):
    table = read(tmp_path, curve(name, step))
    assert same(table, rel=1e-9)
    assert any(
        note.startswith("396 rows are 36 training curves, by ") and "--curves whole|apart" in note
        for note in table.notes
    )
    assert table.names[0] == ("r0" if name in ("run", "model", "run_id", "config.run") else "line 12")
    check_law(table)


def test_a_last_point_has_a_loss(tmp_path):
    """Losses are logged now and then: the last row with one counts."""
    lines = curve(start=1).splitlines()
    odd = [line if i % STEPS == STEPS - 2 else line.rpartition(",")[0] + "," for i, line in enumerate(lines[1:])]
    table = read(tmp_path, "\n".join([lines[0], *odd]) + "\n", curves="last")
    assert len(table) == 36 or "curves" not in " ".join(table.notes)
    assert table.columns["tokens"][0] == pytest.approx(RUNS[0][1] * (STEPS - 1) / STEPS)


def test_whole_curves_are_resampled_whole(tmp_path):
    content = curve().replace("loss\n", "loss\n", 1)
    whole = read(tmp_path, content, curves="whole")
    assert len(whole) == 360, "the rows before the first step have no tokens"
    assert len(np.unique(whole.curves)) == 36
    fit = fit_table(whole, resamples=200).fit
    apart = fit_table(read(tmp_path, curve(start=1), curves="apart"), resamples=200).fit
    assert fit.alpha == pytest.approx(apart.alpha, rel=1e-6), "the same points"
    widths = [high - low for low, high in (fit.interval("E"), apart.interval("E"))]
    assert widths[0] != widths[1]
    assert "The 360 points lie on 36 training curves, which are resampled whole." in fit.notes
    assert fit.holdout is not None
    left_out = set(whole.curves[fit.holdout.rows])
    assert not left_out & set(np.delete(whole.curves, fit.holdout.rows)), "a curve is left out whole"


def test_independent_runs_of_one_model_are_no_curves(tmp_path):
    rows = "".join(f"{n / 1e6:g}M,{n},{d},{loss}\n" for n, d, loss in RUNS)
    table = read(tmp_path, f"model,params,tokens,loss\n{rows}")
    assert same(table)
    rows = "".join(f"{n},{d},{d / 1e6},{loss}\n" for n, d, loss in RUNS)
    assert same(read(tmp_path, f"params,tokens,steps,loss\n{rows}"))
    with pytest.raises(InputError, match="`curves` must be one of"):
        read(tmp_path, text(), curves="all")


def test_names_tell_runs_apart(tmp_path):
    def table(mapping=None, first="transformer".format, header="model,id"):
        rows = "".join(f"{first(i)},x{i},{n},{d},{loss}\n" for i, (n, d, loss) in enumerate(RUNS))
        return read(tmp_path, f"{header},{','.join(HEADER)}\n{rows}", mapping=mapping)

    assert table().names[:2] == ("x0", "x1")
    assert "name: column 'id', guessed (--name COLUMN says otherwise)" in table().notes
    by_line = table(header="model,other")
    assert by_line.names[:2] == ("line 2", "line 3")
    assert any(
        "'model' does not tell the runs apart, so they are called by their lines" in note for note in by_line.notes
    )
    assert table(Mapping(name="model")).names[:2] == ("transformer (line 2)", "transformer (line 3)")
    assert table(first="m{}".format).names[:2] == ("m0", "m1")


def test_lists_end(tmp_path):
    odd = [(n, d, loss * (1.5 if i % 3 == 0 else 1.0 + 0.0001 * (i % 5))) for i, (n, d, loss) in enumerate(RUNS)]
    rows = "".join(f"a-run-with-quite-a-long-name-{i},{n},{d},{loss}\n" for i, (n, d, loss) in enumerate(odd))
    fitted = fit_table(read(tmp_path, f"run,params,tokens,loss\n{rows}"), drop_highest=12, resamples=100)
    assert "a-run-with-quite-a-long-name" in findings(fitted).summary
    assert "and 2 more" in findings(fitted).summary


def test_forms_of_one_input(tmp_path):
    table = read(tmp_path, text(), needs=needs("data"))
    assert any("36 of the 36 runs share their tokens with others, 6 times" in note for note in table.notes)


@pytest.mark.parametrize("keep", ["best", "mean"])
def test_tables_with_types_keep_too(keep, tmp_path):
    columns = dict(zip(HEADER, zip(*((n, d, loss) for n, d, loss in RUNS for _ in range(2)), strict=True), strict=True))
    content = parquet(columns | {"seed": [0, 1] * len(RUNS)})
    assert same(read(tmp_path, content, "runs.parquet", keep=keep), rel=1e-9)
    whole = read(tmp_path, curve(), curves="whole", keep=keep)
    assert len(whole) == 360, "points of curves are not chosen between"
    assert not any("is kept" in note or "mean" in note for note in whole.notes)
