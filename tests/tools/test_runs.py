"""Tables of training runs with other people's column names; and a hundred files that are none, each told on one line."""

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twopart._checks import InputError
from twopart.cli.faults import one_line
from twopart.tools.fit import Mapping, read_runs

HEADER = "params,tokens,loss"
ROWS = ["1e8,2e9,3.1", "2e8,4e9,2.9", "4e8,8e9,2.7"]
GOOD = "\n".join([HEADER, *ROWS]) + "\n"


def written(folder, content, name="runs.csv"):
    path = Path(folder) / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("header", "used"),
    [
        ("N,D,L", "N D L"),
        ("Model Size,Training Tokens,loss", "Model Size|Training Tokens|loss"),
        ("n_params,num_tokens,val_loss", "n_params num_tokens val_loss"),
        ("config.n_params,config.train_tokens,summary.eval_loss", ""),
        ("params.n_params,params.tokens,metrics.val_loss", ""),
        ("Parameters,Dataset size,Test loss", ""),
        ("non-embedding params,tokens seen,Validation Loss", ""),
        ("config/num_params,summary/tokens_seen,summary/final_loss", ""),
    ],
)
def test_other_peoples_names_are_guessed_and_said(tmp_path, header, used):
    table = read_runs(written(tmp_path, GOOD.replace(HEADER, header)))
    assert table.columns["params"].tolist() == [1e8, 2e8, 4e8]
    assert table.columns["tokens"].tolist() == [2e9, 4e9, 8e9]
    assert table.columns["loss"].tolist() == [3.1, 2.9, 2.7]
    said = " ".join(table.notes)
    assert all(f"column {name!r}, guessed" in said for name in header.split(","))


def test_exports_of_wandb_and_mlflow(tmp_path):
    wandb = """"Name","State","Notes","Created","config.n_params","config.tokens","train_loss","val_loss","Runtime"
"calm-fog-1","finished","","2024-05-01T10:00:00.000Z","70000000","1400000000","3.2","3.31","512"
"hazy-sun-2","crashed","","2024-05-01T11:00:00.000Z","160000000","3200000000","","","33"
"deep-sea-3","finished","","2024-05-01T12:00:00.000Z","410000000","8200000000","2.8","2.84","4012"
"""
    table = read_runs(written(tmp_path, wandb))
    assert table.names == ("calm-fog-1", "deep-sea-3")
    assert table.columns["loss"].tolist() == [3.31, 2.84]
    assert any("'val_loss', guessed, passing over 'train_loss'" in note for note in table.notes)
    assert "1 row with a gap left out: line 3" in table.notes
    mlflow = """run_id,experiment_id,status,params.model_size,params.train_tokens,metrics.test_loss,tags.mlflow.runName
a1,0,FINISHED,70M,1.4B,3.31,first
b2,0,FINISHED,160M,3.2B,3.05,second
"""
    table = read_runs(written(tmp_path, mlflow))
    assert table.names == ("first", "second")
    assert table.columns["params"].tolist() == [70e6, 160e6]
    assert table.columns["tokens"].tolist() == [1.4e9, 3.2e9]


def test_the_mapping_comes_first(tmp_path):
    path = written(tmp_path, "params,weights,tokens,loss,perplexity\n1e8,9e7,2e9,3.1,22\n2e8,19e7,4e9,2.9,18\n")
    table = read_runs(path, Mapping(params="weights"))
    assert table.columns["params"].tolist() == [9e7, 1.9e8]
    assert not any(note.startswith("params") for note in table.notes)
    with pytest.raises(InputError, match="no column 'weight' for --params; did you mean 'weights'"):
        read_runs(path, Mapping(params="weight"))
    with pytest.raises(InputError, match="no column 'zz' for --loss; there is 'params', 'weights'"):
        read_runs(path, Mapping(loss="zz"))


def test_what_is_missing_is_computed_from_the_other_two(tmp_path):
    path = written(tmp_path, "Model Size,Training FLOP,loss\n1e8,1.2e18,3.1\n2e8,4.8e18,2.9\n")
    table = read_runs(path)
    assert table.columns["tokens"] == pytest.approx([2e9, 4e9])
    assert any("tokens: computed from the other two by C = 6 N D" in note for note in table.notes)
    only = read_runs(written(tmp_path, "C,loss\n1e18,3\n1e19,2.5\n"), needs=("flops",))
    assert set(only.columns) == {"flops", "loss"}


def test_compute_that_nobody_needs_is_taken_only_where_it_is_whole(tmp_path):
    for cells, kept in (("1e18 4e18", True), ("1e18 ", False), ("1e18 lots", False)):
        a, b = cells.split(" ")
        table = read_runs(written(tmp_path, f"N,D,flops,loss\n1e8,2e9,{a},3\n2e8,4e9,{b},2.9\n"))
        assert ("flops" in table.columns) == kept
        assert len(table) == 2
        assert any("flops" in note for note in table.notes)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1e8", 1e8),
        ("100000000", 1e8),
        ('"100,000,000"', 1e8),
        ("100M", 1e8),
        ("0.1B", 1e8),
        (" 1E+8 ", 1e8),
        ("0.1 G", 1e8),
    ],
)
def test_numbers_as_people_write_them(tmp_path, cell, value):
    assert read_runs(written(tmp_path, f"N,D,L\n{cell},2e9,3\n")).columns["params"].tolist() == [value]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_separators_encodings_and_line_ends(tmp_path, separator, encoding):
    text = GOOD.replace(",", separator).replace("\n", "\r\n") + "\r\n\r\n"
    table = read_runs(written(tmp_path, text.encode(encoding)))
    assert table.columns["loss"].tolist() == [3.1, 2.9, 2.7]
    assert table.names == ("line 2", "line 3", "line 4")


def test_a_unit_in_the_name_of_a_column_scales_it(tmp_path):
    table = read_runs(written(tmp_path, "Params (M),Tokens [billions],loss\n100,2,3\n200,4,2.9\n"))
    assert table.columns["params"].tolist() == [1e8, 2e8]
    assert table.columns["tokens"].tolist() == [2e9, 4e9]
    assert any("times 1e+06" in note for note in table.notes)


def test_parquet(tmp_path):
    frame = pl.DataFrame({"N": [10**8, 2 * 10**8], "tokens": [2e9, None], "loss": [3.1, 2.9], "run": ["a", "b"]})
    frame.write_parquet(tmp_path / "runs.parquet")
    table = read_runs(tmp_path / "runs.parquet")
    assert table.names == ("a",)
    assert "1 row with a gap left out: row 2" in table.notes
    for damage in (b"PAR1", (tmp_path / "runs.parquet").read_bytes()[:-20]):
        with pytest.raises(InputError, match="damaged Parquet"):
            read_runs(written(tmp_path, damage, "bad.parquet"))
    pl.DataFrame({"N": [[1, 2]], "D": [1.0], "loss": [3.0]}).write_parquet(tmp_path / "lists.parquet")
    with pytest.raises(InputError, match=r"row 1: 'N' must be a number, got \[1, 2\]"):
        read_runs(tmp_path / "lists.parquet")


CELLS = [
    "abc",
    "1.2.3",
    "3,1",
    "1e",
    "0x10",
    "--5",
    "$3",
    "3 apples",
    "1_00",
    "1e8e",
    "½",
    "three",
    "1,2,3",
    "10%",
    "~3",
    "#REF!",
]
OUTSIDE = ["0", "-1", "-2.5e3", "inf", "-inf", "1e999", "-0", "Infinity"]
NAMES = ["params", "tokens", "loss"]


def row(place, cell):
    cells = ROWS[1].split(",")
    cells[place] = f'"{cell}"' if "," in cell else cell
    return "\n".join([HEADER, ROWS[0], ",".join(cells), ROWS[2]]) + "\n"


MALFORMED = {
    **{f"cell-{cell}-in-{NAMES[i]}": (row(i, cell), "line 3") for cell in CELLS for i in range(3)},
    **{f"value-{cell}-in-{NAMES[i]}": (row(i, cell), "finite and > 0") for cell in OUTSIDE for i in range(3)},
    "empty": ("", "is empty"),
    "blank": (" \n\n\t\n", "is empty"),
    "only-mark": (b"\xef\xbb\xbf", "is empty"),
    "header-only": (HEADER + "\n", "no rows under the header"),
    "no-header": ("\n".join(ROWS), "must name the columns"),
    "short-row": (GOOD + "1e9,2e10\n", "line 5: 2 fields where the header has 3"),
    "long-row": (GOOD + "1e9,2e10,3,4\n", "line 5: 4 fields where the header has 3"),
    "one-field": (GOOD + "end\n", "line 5: 1 field where the header has 3"),
    "open-quote": (GOOD + '"1e9,2e10,3\n', "line 5: a quoted field is broken"),
    "text-after-quote": (GOOD + '"1e9"x,2e10,3\n', "line 5: a quoted field is broken"),
    "open-quote-in-header": ('"params,tokens,loss\n1,2,3\n', "line 1: a quoted field is broken"),
    "two-of-a-name": ("params,params,tokens,loss\n1,2,3,4\n", "two columns are called 'params'"),
    "two-alike": ("n_params,N-Params,tokens,loss\n1,2,3,4\n", "'n_params' and 'N-Params' may both be the params"),
    "two-losses": ("N,D,val_loss,Val Loss\n1,2,3,4\n", "may both be the loss; say which with --loss"),
    "no-loss": ("params,tokens\n1,2\n", "no column looks like loss"),
    "no-sizes": ("tokens,loss\n1,2\n", "no column looks like params"),
    "no-known-name": ("a,b,e\n1,2,3\n", "no column looks like params or tokens or loss"),
    "all-gaps": (f"{HEADER}\n1,,3\n,2,3\n1,2,nan\n", "every row has a gap"),
    "half-utf-8": (GOOD.encode() + b"\x81\xff", "line 5: not utf-8 text"),
    "binary": (bytes(range(256)) * 4, "not utf-8 text"),
    "zero-bytes": (b"params,tokens,loss\n1,2,\x003\n", "zero bytes"),
    "half-utf-16": (GOOD.encode("utf-16")[:-1], "not utf-16 text"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(40), "not utf-8 text"),
    "zip": (b"PK\x03\x04" + bytes(40), "workbook"),
    "json": ('[{"params": 1e8, "tokens": 2e9, "cost": 3}]', "no column looks like loss"),
    "json-of-numbers": ("[[1e8, 2e9, 3]]", "no table is in this JSON"),
    "json-lines": ('{"params": 1e8}\n{"params": 2e8\n', "line 2: no JSON"),
    "html": ("<html>\n<body>no runs</body>\n</html>\n", "no column looks like"),
    "both-decimals": (
        "N;D;L\n1e8;2e9;3,1\n2e8;4e9;2.95\n",
        "line 2: '3,1' has a decimal comma and '2.95' a decimal point",
    ),
    "either": ('N,D,L\n"70,000",2e9,3\n', "line 2: '70,000' may be 70.000 with a decimal comma or 70000"),
    "merge-marks": (f"{HEADER}\n<<<<<<< HEAD\n{ROWS[0]}\n", "line 2: 1 field"),
}


def test_there_are_a_hundred_different_ones():
    contents = {c if isinstance(c, bytes) else c.encode() for c, _ in MALFORMED.values()}
    assert len(contents) == len(MALFORMED) >= 100


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_told_on_one_line(name, tmp_path):
    content, said = MALFORMED[name]
    path = written(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read_runs(path)
    line = one_line(caught.value)
    assert str(path) in line
    assert said in line
    assert len(line) < 400
    assert "Error" not in line


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_runs(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_runs(tmp_path)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode) | st.just(GOOD.encode()), st.data())
def test_no_file_brings_the_reader_down(tmp_path_factory, content, data):
    """Random files, and good ones with one byte changed: a table or an `InputError`, nothing else."""
    if content and data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(content) - 1))
        content = content[:place] + bytes([data.draw(st.integers(0, 255))]) + content[place + 1 :]
    path = written(tmp_path_factory.mktemp("files"), content)
    try:
        columns = read_runs(path).columns
    except InputError as error:
        columns = {str(path): np.array([float(one_line(error).count("\n") == 0)])}
    assert all(np.all(np.isfinite(column) & (column > 0)) for column in columns.values())


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(*2 * [st.floats(1e-3, 1e30)], st.floats(1e-3, 20)),
        min_size=1,
        max_size=8,
    )
)
def test_what_is_written_is_read(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("files")
    frame = pl.DataFrame(rows, schema=["params", "tokens", "loss"], orient="row")
    buffer = io.BytesIO()
    frame.write_csv(buffer)
    frame.write_parquet(folder / "runs.parquet")
    for path in (written(folder, buffer.getvalue()), folder / "runs.parquet"):
        table = read_runs(path, keep_duplicates=True, curves="apart")
        assert [table.columns[name].tolist() for name in frame.columns] == [
            frame[name].to_list() for name in frame.columns
        ]
