"""Tables as programs write them: one table in hundreds of ways is one table, and what was done to read it is said."""

import gzip
import io
import json
import math
import zipfile
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.tables import (
    BIT,
    HEADER,
    PLAIN,
    RUNS,
    check_law,
    german,
    parquet,
    read,
    same,
    scaled,
    text,
)  # fmt: skip
from twopart._checks import InputError
from twopart.tools.fit import Mapping, read_runs
from twopart.tools.fit.delimited import delimited

M, B = scaled(1e6), scaled(1e9)
COMMA = "{:.4f}".format


def comma(places):
    return lambda value: f"{value:.{places}f}".replace(".", ",")


def spaced(mark):
    return lambda value: f"{value:,.0f}".replace(",", mark)


def refused(folder, content, **options):
    with pytest.raises(InputError) as caught:
        read(folder, content, **options)
    return str(caught.value)


# Numbers.


@pytest.mark.parametrize("places", [2, 3, 4])
def test_a_comma_between_semicolons_is_decimal(places, tmp_path):
    table = read(tmp_path, text(cells=(*PLAIN[:2], comma(places)), separator=";"))
    assert same(table, rel=3e-3)
    assert any(note.startswith("loss: ") and "decimal comma" in note for note in table.notes)
    if places > 2:
        check_law(table)


@pytest.mark.parametrize(
    ("separator", "cells"),
    [
        (";", (german(0), german(0), german(4))),
        ("\t", (german(0), german(0), german(3))),
        (";", (spaced("\u202f"), spaced("\u00a0"), comma(3))),
        (";", (spaced(","), spaced(","), PLAIN[2])),
        ("\t", (spaced("'"), spaced("’"), PLAIN[2])),
        (",", (spaced("_"), spaced("_"), PLAIN[2])),
        (";", tuple(lambda value: f"{value:.4E}".replace(".", ",") for _ in range(3))),
        (",", (lambda value: f'"{value:,.0f}"', lambda value: f'"{value:,.0f}"', PLAIN[2])),
        (",", (*PLAIN[:2], lambda value: f'"{value:.3f}"'.replace(".", ","))),
        (",", (lambda value: f'="{value:.0f}"', PLAIN[1], PLAIN[2])),
        (",", (*PLAIN[:2], lambda value: f"{value} ± 0.01")),
    ],
)
def test_marks_between_thousands(separator, cells, tmp_path):
    assert same(read(tmp_path, text(cells=cells, separator=separator)))


@pytest.mark.parametrize(
    ("separator", "cells", "said"),
    [
        (",", ('"70,000"', "2e9", "3"), "line 2: '70,000' may be 70.000 with a decimal comma or 70000"),
        (";", ("70,000", "2e9", "3.25"), "'70,000' may be"),
        (";", ("70,000", "2.000", "3"), "'70,000' may be"),
        (";", ("70.000", "2,5", "3.25"), "'70.000' may be a decimal number or thousands"),
        (",", ("1e8", "2e9", '"3,1"\n1,2,3.1'), "line 2: '3,1' has a decimal comma and '3.1' a decimal point"),
        (",", ('"3,1"', "2e9", "3.1"), "line 2: '3,1' must be a number, and the decimals elsewhere have points"),
    ],
)
def test_what_can_be_read_two_ways_is_refused(separator, cells, said, tmp_path):
    assert said in refused(tmp_path, f"{separator.join(HEADER)}\n{separator.join(cells)}\n")


def test_thousands_are_told_by_the_decimals_of_the_others(tmp_path):
    table = read(tmp_path, 'params,tokens,loss\n"70,000",2e9,3.25\n')
    assert table.columns["params"].tolist() == [70000]
    assert any("'70,000' read as thousands, as '3.25' has a decimal point" in note for note in table.notes)
    table = read(tmp_path, "params;tokens;loss\n70.000;2e9;3,25\n")
    assert table.columns["params"].tolist() == [70000]
    assert any("'70.000' read as thousands, as '3,25' has a decimal comma" in note for note in table.notes)


GAPS = [
    "#N/A",
    "#NV",
    "<NA>",
    "None",
    "NULL",
    "n/a",
    "NaN",
    "nan",
    "-",
    "NA",
    "\\N",
    "(null)",
    "",
    ".",
    "missing",
    "-1.#IND",
    "1.#QNAN",
    "#N/A N/A",
]


@pytest.mark.parametrize("gap", GAPS)
def test_gaps_of_other_programs(gap, tmp_path):
    table = read(tmp_path, text() + f"1e9,2e10,{gap}\n2e9,3e10,{gap}\n")
    assert same(table)
    assert "2 rows with a gap left out: lines 38, 39" in table.notes


@pytest.mark.parametrize("cell", ["#REF!", "#DIV/0!", "#WERT!"])
def test_a_formula_that_failed_is_no_gap(cell, tmp_path):
    assert f"got '{cell}'; mend the formula" in refused(tmp_path, text() + f"1e9,2e10,{cell}\n")


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("70.0M params", 70e6), ("2.00B", 2e9), ("1.4 T tokens", 1.4e12), ("70 million", 70e6), ("70 Mio.", 70e6),
        ("7 x 10^7", 7e7), ("7×10⁷", 7e7), ("2 Mrd", 2e9), ("70_000_000", 7e7), ("0.1 G", 1e8), ("3 bn", 3e9),
    ],
)  # fmt: skip
def test_words_behind_numbers(cell, value, tmp_path):
    role = "tokens" if "tokens" in cell else "params"
    other = "params" if role == "tokens" else "tokens"
    table = read(tmp_path, f"{role},{other},loss\n{cell},1e9,3\n")
    assert table.columns[role] == pytest.approx([value])


@pytest.mark.parametrize("cell", ["70 apples", "70x10", "1e", "10%", "7e7 GB", "3 nats"])
def test_words_that_are_not_known(cell, tmp_path):
    assert "what follows the number is not understood" in refused(tmp_path, f"params,tokens,loss\n{cell},1e9,3\n")


# Units.


@pytest.mark.parametrize(
    ("params", "tokens"),
    [
        ("Params (10^6)", "Tokens (1e9)"), ("Params (Mio)", "Tokens (bn)"), ("params_M", "tokens_B"),
        ("Parameters [millions]", "Training tokens, billions"), ("N (10⁶)", "D (×10⁹)"), ("Mparams", "Gtokens"),
        ("n_params_in_millions", "train tokens / 10^9"), ("million params", "billions of tokens"), ("paramsM", "tokensB"),
        ("Params (in millions)", "Tokens {Mrd.}"), ("Model Size (mega)", "Dataset size (giga)"), ("Params (M)", "Tokens (G)"),
        ("size (non-embedding, M)", "tokens seen (1,000,000,000)"), ("config.params (M)", "summary.tokens (B)"),
    ],
)  # fmt: skip
def test_units_in_the_header(params, tokens, tmp_path):
    table = read(tmp_path, text((f'"{params}"', f'"{tokens}"', "loss"), (M, B, PLAIN[2])))
    assert same(table)
    said = [note for note in table.notes if "times" in note]
    assert [note.split(",")[0] for note in said] == ["params: times 1e+06", "tokens: times 1e+09"], "each is said once"


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("Compute (EFLOP)", 1e18), ("PFLOPs", 1e15), ("Compute (PFLOP-days)", 8.64e19), ("PF-days", 8.64e19),
        ("Compute (exa)", 1e18), ("compute [petaflop/s-days]", 8.64e19), ("FLOPs (1e18)", 1e18), ("flops", 1.0),
        ("training_compute_zflop", 1e21),
        ("C (10^18 FLOP)", 1e18), ("Compute (TFLOP/s-hours)", 3.6e15),
    ],
)  # fmt: skip
def test_units_of_compute(header, unit, tmp_path):
    rows = "\n".join(f"{n},{loss},{6 * n * d / unit:.9g}" for n, d, loss in RUNS)
    assert same(read(tmp_path, f"params,loss,{header}\n{rows}\n"))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Compute (GPU-hours)", "the time of devices is no number of operations; multiply by what they did per second"),
        ("Compute (days)", "the time of devices"),
        ("Compute (TFLOP/s)", "a rate is no amount of compute"),
        ("Compute (potatoes)", "'potatoes' is not known; known are K, M, B, T"),
        ("log_compute", "a logarithm of which base?"),
        ("Compute (10^6 M)", "it names two factors"),
        ("compute_EFLOP (PFLOP)", "it names two units"),
        ("Compute (10^-6)", "is no power of ten"),
    ],
)
def test_units_that_are_refused(header, said, tmp_path):
    rows = "\n".join(f"{n},{loss},{6 * n * d}" for n, d, loss in RUNS)
    assert said in refused(tmp_path, f"params,loss,{header}\n{rows}\n")
    spare = read(
        tmp_path, "params,tokens,loss," + header + "\n" + "\n".join(f"{n},{d},{loss},5" for n, d, loss in RUNS)
    )
    assert any(note.startswith("flops is not used") and said in note for note in spare.notes) or header == "log_compute"


def test_units_given_twice(tmp_path):
    content = text(("Params (M)", "Tokens (B)", "loss"), (lambda n: f"{n / 1e6}M", lambda d: f"{d / 1e9}B", PLAIN[2]))
    said = refused(tmp_path, content)
    assert "line 2: the unit is given twice, 'M' in the name 'Params (M)' and 'M' in the cell '70.0M'" in said


def test_a_unit_may_be_said_with_the_column(tmp_path):
    content = text(cells=(M, B, PLAIN[2]))
    assert same(read(tmp_path, content, mapping=Mapping(params="params (M)", tokens="tokens (1e9)")))
    with pytest.raises(InputError, match="the unit of --params 'params \\(apples\\)' is not understood"):
        read(tmp_path, content, mapping=Mapping(params="params (apples)"))


def test_logarithms(tmp_path):
    log = lambda value: f"{math.log10(value):.9f}"  # noqa: E731
    assert same(read(tmp_path, text(("log10(N)", "log10_tokens", "loss"), (log, log, PLAIN[2]))))
    assert "a logarithm of which base?" in refused(tmp_path, text(("log_params", "tokens", "loss"), (log, *PLAIN[1:])))
    notes = read(tmp_path, text(cells=(log, log, PLAIN[2]))).notes
    assert any("if they are logarithms, say --params 'params (log10)'" in note for note in notes)


def test_sizes_that_no_model_has(tmp_path):
    notes = read(tmp_path, text(cells=(M, B, PLAIN[2]))).notes
    assert "params: 70 to 2.8e+03 are sizes that no model has: if they are in M, say --params 'params (M)'" in notes
    assert "tokens: 2 to 200 are sizes that no model has: if they are in B, say --tokens 'tokens (B)'" in notes


def test_compute_that_contradicts(tmp_path):
    def with_compute(n=1.0, d=1.0, c=1.0):
        return "params,tokens,flops,loss\n" + "".join(
            f"{a / n},{b / d},{6 * a * b / c},{loss}\n" for a, b, loss in RUNS
        )

    assert not any("6 N D" in note for note in read(tmp_path, with_compute()).notes)
    assert "--params 'params (M)' --tokens 'tokens (B)'" in refused(tmp_path, with_compute(1e6, 1e9))
    assert "--flops 'flops (PFLOP-days)'" in refused(tmp_path, with_compute(c=8.64e19))
    assert "--flops 'flops (EFLOP)'" in refused(tmp_path, with_compute(c=1e18))
    notes = read(tmp_path, with_compute(c=8)).notes
    assert any("flops is 0.125 times 6 N D in the median run" in note for note in notes)
    assert not any("6 N D in" in note for note in read(tmp_path, with_compute(c=2.5)).notes), "within a factor of 3"


# Losses.


@pytest.mark.parametrize(
    ("name", "unit", "write", "scale"),
    [
        ("loss (bits)", "bits", lambda x: x / BIT, BIT), ("test_loss_bits", "bits", lambda x: x / BIT, BIT),
        ("loss", "nats", lambda x: x, 1.0), ("loss (nats/token)", "nats", lambda x: x, 1.0),
        ("perplexity", "nats", math.exp, 1.0), ("val_ppl", "nats", math.exp, 1.0), ("Loss [ppl]", "nats", math.exp, 1.0),
        ("val_bpb", "bpb", lambda x: x / 3, 3.0), ("bits per byte", "bpb", lambda x: x / 3, 3.0),
        ("loss (C4)", "nats", lambda x: x, 1.0), ("loss (bits/token)", "bits", lambda x: x / BIT, BIT),
    ],
)  # fmt: skip
def test_the_unit_of_a_loss_is_in_its_name(name, unit, write, scale, tmp_path):
    table = read(tmp_path, text((*HEADER[:2], name), (*PLAIN[:2], lambda x: f"{write(x):.7f}")))
    assert table.unit == unit
    assert same(table, unit=scale)
    told = any(note.startswith("loss: in ") for note in table.notes)
    assert told == (name not in ("loss", "loss (C4)"))
    if scale == BIT:
        check_law(table, unit=BIT)


def test_the_unit_of_a_loss_is_in_its_cells(tmp_path):
    cells = (*PLAIN[:2], lambda x: f"{x / BIT:.6f} bits/token")
    table = read(tmp_path, text(cells=cells))
    assert table.unit == "bits"
    assert same(table, unit=BIT)
    assert "the loss is in nats elsewhere and in bits here" in refused(
        tmp_path, text((*HEADER[:2], "loss (nats)"), cells)
    )


def test_the_unit_of_a_loss_may_be_said(tmp_path):
    ppl = text(cells=(*PLAIN[:2], lambda x: f"{math.exp(x):.6f}"))
    assert same(read(tmp_path, ppl, unit="ppl"))
    assert "for perplexities say --unit ppl" in refused(tmp_path, ppl)
    assert "a perplexity must be > 1, got '1'" in refused(tmp_path, ppl + "1,2,1\n", unit="ppl")
    bits = text((*HEADER[:2], "loss (bits)"))
    assert any("loss: in nats, as --unit says, though" in note for note in read(tmp_path, bits, unit="nats").notes)
    assert any("--unit bpb says so" in note for note in read(tmp_path, text(cells=(*PLAIN[:2], scaled(3)))).notes)
    for name in ("loss (bpc)", "loss (x1000)", "loss (%)", "loss (log10)", "loss (mnats)"):
        assert "is not known for a loss; known are nats, bits, ppl and bpb; --unit" in refused(
            tmp_path, text((*HEADER[:2], name))
        )
        assert same(read(tmp_path, text((*HEADER[:2], name)), unit="nats"))


# Headers and rows.


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (text(before="# exported by sweep.py\n"), "skipped as comments: line 1"),
        (text(before='# it\'s "quoted, twice\n\n#\n'), "skipped as comments: lines 1, 3"),
        (text(separator=";", before="sep=;\r\n", end="\r\n"), None),
        (text(after=","), "the separator at the end of every row is none"),
        (text((*HEADER, ""), after=","), None),
        (text(after=";;", separator=";"), "the separator at the end of every row is none"),
        (text() + "#1,2,3\n", "skipped as comments: line 38"),
        (text() + "\n,,\n , ,\n", None),
        ("# params tokens loss\n" + "".join(f"{n:.9e} {d:e} {x:.9e}\n" for n, d, x in RUNS), "the header is line 1, behind #"),
        ("#" + text(), "the header is line 1, behind #"),
        ("#,params,tokens,loss\n" + "".join(f"{i},{n},{d},{x}\n" for i, (n, d, x) in enumerate(RUNS)), None),
        (",params,tokens,loss\n" + "".join(f"{i},{n},{d},{x}\n" for i, (n, d, x) in enumerate(RUNS)), None),
        ("| params | tokens | loss |\n|---:|:---|---|\n" + "".join(f"| {n} | {d} | {x} |\n" for n, d, x in RUNS), None),
        ("+---+---+\n|params|tokens|loss|\n+---+---+\n" + "".join(f"|{n}|{d}|{x}|\n" for n, d, x in RUNS) + "+---+\n", None),
        (" params | tokens | loss\n---+---+---\n" + "".join(f" {n} | {d} | {x}\n" for n, d, x in RUNS) + "(36 rows)\n", None),
        ("params,tokens,loss,note,note\n" + "".join(f"{n},{d},{x},a,b\n" for n, d, x in RUNS), None),
        (text(end="\r"), None),
        (text(HEADER[::-1], PLAIN[::-1], runs=[run[::-1] for run in RUNS]), None),
    ],
)  # fmt: skip
def test_what_is_around_the_numbers(content, said, tmp_path):
    table = read(tmp_path, content)
    assert same(table)
    spoken = [note for note in table.notes if "guessed" not in note]
    assert spoken == ([said] if said else [])


@pytest.mark.parametrize(
    "names",
    [
        [f'"{i}"' for i in range(1, 37)],
        [str(i) for i in range(36)],
        [f"m{i}" for i in range(36)],
        [f'"{3 * i}"' for i in range(36)],
    ],
)
@pytest.mark.parametrize("separator", [",", " ", "\t"])
def test_row_names(names, separator, tmp_path):
    rows = "".join(
        f"{name}{separator}{n:g}{separator}{d:g}{separator}{x}\n" for name, (n, d, x) in zip(names, RUNS, strict=True)
    )
    table = read(tmp_path, f"{separator.join(HEADER)}\n{rows}")
    assert same(table)
    assert "the first field of every row is its name: the header has one field less" in table.notes


def test_unquoted_decimal_commas_are_no_row_names(tmp_path):
    said = refused(tmp_path, text(cells=(*PLAIN[:2], comma(3))))
    assert "4 fields where the header has 3; if commas are decimal, part the fields by semicolons" in said
    shifted = "".join(f"{70 + i},{2 + i},3,{200 + i}\n" for i in range(36))
    assert "4 fields where the header has 3" in refused(tmp_path, f"params,tokens,loss\n{shifted}")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (text(before="Scaling runs of May\n"), 2),
        (text(before="Scaling runs, May\n\n"), 3),
        (text(before="Scaling runs;;\r\n;;\r\n", separator=";"), 3),
        (text(before="config,config,summary\n"), 2),
    ],
)
def test_a_title_is_refused_with_the_line_of_the_header(content, line, tmp_path):
    assert f"the header seems to be on line {line}" in refused(tmp_path, content)


def test_a_line_of_units(tmp_path):
    said = refused(tmp_path, text().replace("loss\n", "loss\nM,B,nats\n"))
    assert "line 2: 'params' must be a number, got 'M'; if this line tells units, write them into the header" in said


def test_only_names_that_are_used_must_be_unique(tmp_path):
    content = "params,params,tokens,loss\n" + "".join(f"{n},1,{d},{x}\n" for n, d, x in RUNS)
    assert "two columns are called 'params'; rename one" in refused(tmp_path, content)
    assert "two columns are called 'params', and --params names it" in refused(
        tmp_path, content, mapping=Mapping(params="params")
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings(encoding, tmp_path):
    table = read(
        tmp_path, text((*HEADER, "Größe"), (*PLAIN, None)).replace("\n", ",1\n").replace("e,1", "e").encode(encoding)
    )
    assert same(table)
    assert any("read as Windows-1252 text" in note for note in table.notes) == (encoding == "cp1252")


# Other formats.

OBJECTS = [dict(zip(HEADER, run, strict=True)) for run in RUNS]
NESTED = [
    {"name": f"r{i}", "config": {"n_params": {"value": n}, "tokens": d}, "summary": {"val_loss": x}}
    for i, (n, d, x) in enumerate(RUNS)
]
MLFLOW = {
    "runs": [
        {
            "info": {"run_id": f"a{i}"},
            "data": {
                "metrics": [{"key": "val_loss", "value": x}],
                "params": [{"key": "n_params", "value": str(n)}, {"key": "tokens", "value": str(d)}],
            },
        }
        for i, (n, d, x) in enumerate(RUNS)
    ]
}
JSONS = {
    "records": json.dumps(OBJECTS),
    "lines": "\n".join(map(json.dumps, OBJECTS)),
    "columns": json.dumps({name: {str(i): one[name] for i, one in enumerate(OBJECTS)} for name in HEADER}),
    "index": json.dumps({f"run{i}": one for i, one in enumerate(OBJECTS)}),
    "split": json.dumps({"columns": HEADER, "index": list(range(36)), "data": RUNS}),
    "lists": json.dumps({name: [one[name] for one in OBJECTS] for name in HEADER}),
    "table": json.dumps({"schema": {"fields": [{"name": "params"}]}, "data": OBJECTS}),
    "wandb": "\n".join(map(json.dumps, NESTED)),
    "mlflow": json.dumps(MLFLOW),
    "texts": "\n".join(json.dumps({"params": f"{n / 1e6}M", "tokens": f"{d / 1e9} B", "loss": x}) for n, d, x in RUNS),
    "nan": "\n".join(map(json.dumps, [*OBJECTS, {"params": 1e9, "tokens": 1e9, "loss": float("nan")}])),
}


@pytest.mark.parametrize("kind", JSONS)
def test_json(kind, tmp_path):
    assert same(read(tmp_path, JSONS[kind], "runs.json"))


N, D, L = (list(column) for column in zip(*RUNS, strict=True))
MILLIONS = pa.array([f"{n / 1e6}M" for n in N])
CONFIG = [{"n_params": n, "tokens": d} for n, d in zip(N, D, strict=True)]
TABLES = {
    "decimals": {"params": pa.array([Decimal(int(n)) for n in N], pa.decimal128(20, 0)), "tokens": D, "loss": L},
    "categories": {"params": MILLIONS.dictionary_encode(), "tokens": pa.array(D).dictionary_encode(), "loss": L},
    "structs": {"config": CONFIG, "summary": [{"loss": x} for x in L]},
    "bytes": {"params": pa.array([str(n).encode() for n in N]), "tokens": pa.array(map(str, D), pa.large_string()), "loss": L},
    "whole": {"params": pa.array(map(int, N), pa.uint64()), "tokens": pa.array(map(int, D)), "loss": pa.array(L, pa.float32())},
    "twice": pa.Table.from_arrays([pa.array(x) for x in (N, D, L, L, L)], [*HEADER, "note", "note"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", TABLES)
def test_parquet_of_other_programs(kind, tmp_path):
    assert same(read(tmp_path, parquet(TABLES[kind]), "runs.parquet"))


@pytest.mark.parametrize("column", [[True] * 36, [[1.0]] * 36, [None] * 36])
def test_parquet_without_numbers(column, tmp_path):
    said = refused(tmp_path, parquet({"params": column, "tokens": D, "loss": L}), name="runs.parquet")
    assert "'params' must be a number" in said or "every row has a gap" in said


def test_arrow_and_gzip(tmp_path):
    feather.write_feather(pa.table({"params": N, "tokens": D, "loss": L}), tmp_path / "runs.feather")
    assert same(read_runs(tmp_path / "runs.feather"))
    assert same(read(tmp_path, gzip.compress(text().encode()), "runs.csv.gz"))
    assert "damaged gzip" in refused(tmp_path, gzip.compress(text().encode())[:-20])
    assert "damaged Arrow file" in refused(tmp_path, b"ARROW1" + bytes(20))
    assert "damaged Parquet" in refused(tmp_path, b"PAR1" + bytes(20))


CELLS = {"params": "A", "tokens": "B", "loss": "C"}
XML = "http://schemas.openxmlformats.org"
RELATION = f"{XML}/officeDocument/2006/relationships"
PARTS = {
    "[Content_Types].xml": f"""<Types xmlns="{XML}/package/2006/content-types"><Default Extension="xml" ContentType="text/xml"/>
        <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>""",
    "_rels/.rels": f"""<Relationships xmlns="{XML}/package/2006/relationships">
        <Relationship Id="r1" Type="{RELATION}/officeDocument" Target="xl/workbook.xml"/></Relationships>""",
    "xl/workbook.xml": f"""<workbook xmlns="{XML}/spreadsheetml/2006/main" xmlns:r="{RELATION}">
        <sheets><sheet name="runs" sheetId="1" r:id="r1"/></sheets></workbook>""",
    "xl/_rels/workbook.xml.rels": f"""<Relationships xmlns="{XML}/package/2006/relationships">
        <Relationship Id="r1" Type="{RELATION}/worksheet" Target="sheet1.xml"/></Relationships>""",
}
"""What a workbook holds beside its sheet (ECMA-376)."""


def workbook(first=1):
    """The table from a row on."""

    def cell(column, row, value):
        place = f'r="{column}{row}"'
        return (
            f"<c {place}><v>{value}</v></c>"
            if isinstance(value, float)
            else f'<c {place} t="inlineStr"><is><t>{value}</t></is></c>'
        )

    rows = "".join(
        f'<row r="{i}">{"".join(cell(column, i, value) for column, value in zip(CELLS.values(), run, strict=True))}</row>'
        for i, run in enumerate((CELLS, *RUNS), first)
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, part in PARTS.items():
            archive.writestr(name, part)
        sheet = f'<worksheet xmlns="{XML}/spreadsheetml/2006/main"><sheetData>'
        archive.writestr("xl/sheet1.xml", f"{sheet}{rows}</sheetData></worksheet>")
    return stream.getvalue()


@pytest.mark.parametrize("first", [1, 3])
def test_a_workbook_is_read(first, tmp_path):
    pytest.importorskip("fastexcel")
    table = read(tmp_path, workbook(first), "runs.xlsx")
    assert same(table)
    assert table.names[0] == f"line {first + 1}"
    assert "no workbook that can be read" in refused(tmp_path, b"PK\x03\x04" + bytes(40))


def test_a_workbook_needs_its_extra(tmp_path, monkeypatch):
    monkeypatch.setattr("twopart.tools.fit.frames.find_spec", lambda name: None)
    assert "save the sheet as CSV, or `pip install twopart[excel]`" in refused(tmp_path, b"PK\x03\x04" + bytes(40))


def test_a_folder_of_one_part(tmp_path):
    (tmp_path / "runs.csv").mkdir()
    (tmp_path / "runs.csv/_SUCCESS").touch()
    (tmp_path / "runs.csv/part-0001.csv").write_text(text())
    with pytest.raises(InputError, match=r"is a folder; name a file in it: part-0001\.csv"):
        read_runs(tmp_path / "runs.csv")


# One table in many ways.

WAYS = {
    "params": [(1e6, unit) for unit in ("M", "Mio", "10^6", "1e6", "millions", "mega", "10⁶", "1,000,000", "Mparams")]
    + [(1e3, unit) for unit in ("K", "thousands", "kilo", "'000", "Tsd")]
    + [(1e9, unit) for unit in ("B", "bn", "G", "1E9", "Mrd", "billion")],
    "tokens": [(1e9, unit) for unit in ("B", "bn", "G", "10^9", "billions", "milliards", "Gtok", "B tokens")]
    + [(1e6, unit) for unit in ("M", "1e6", "million tokens")]
    + [(1e12, unit) for unit in ("T", "trillions", "tera", "10**12")],
}
HEADINGS = ("{} ({})", "{} [{}]", "{} in {}", "{} ({})", "{}, {}", "config.{} ({})")


@st.composite
def ways(draw):
    """A way to write the table."""
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    decimal = draw(st.sampled_from([".", ","])) if separator != "," else "."
    header, cells = [], []
    for role in ("params", "tokens"):
        factor, unit = draw(st.sampled_from([(1.0, ""), *WAYS[role]]))
        place = draw(st.sampled_from(["header", "cell"])) if unit else "none"
        in_words = draw(st.sampled_from(HEADINGS))
        if "'" in unit or "," in unit or "*" in unit or unit[:2] == "10":
            in_words = "{} ({})" if place == "header" else in_words
        if place == "cell" and unit[0] in "1'":
            unit = (
                f"x {unit}"
                if "^" in unit or "⁶" in unit or "**" in unit
                else "M"
                if factor == 1e6
                else "B"
                if factor == 1e9
                else "K"
            )
        name = in_words.format(role, unit) if place == "header" else role
        header.append(f'"{name}"')
        group = draw(st.sampled_from(["", "", "\u00a0", "'", "." if decimal == "," else ","]))
        cells.append(_cell(factor, unit if place == "cell" else "", group, decimal, draw(st.booleans())))
    header.append(draw(st.sampled_from(["loss", "val_loss", '"loss (nats)"'])))
    cells.append(_cell(1.0, "", "", decimal, draw(st.booleans())))
    before = draw(st.sampled_from(["", "# a comment\n", f"sep={separator}\n", "\n"]))
    after = draw(st.sampled_from(["", separator]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    return text(header, cells, separator, end, before, after).encode(encoding)


def _cell(factor, unit, group, decimal, quoted):
    def write(value):
        number = f"{value / factor:,.6f}" if value / factor < 1e6 else f"{value / factor:,.0f}"
        number = number.replace(",", "\0").replace(".", decimal).replace("\0", group)
        return f'"{number} {unit}"' if quoted or group == "," else f"{number} {unit}".strip()

    return write


@settings(max_examples=50)
@given(ways())
def test_one_table_written_in_fifty_ways_fits_alike(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("ways")
    table = read(folder, content)
    assert same(table, rel=2e-6)
    check_law(table)


def test_a_comma_in_a_quoted_name_cuts_no_header(tmp_path):
    """Decimal commas cut these rows into as many fields as semicolons do."""
    rows = "".join(f"{n},5;2,0;{3 / n:.3f};\n".replace(".", ",") for n in (1, 2, 3))
    sheet = delimited(tmp_path / "runs.csv", f'"params, M";"tokens, B";loss\n{rows}')
    assert sheet.header == ("params, M", "tokens, B", "loss")
    assert list(sheet.columns[2]) == ["3,000", "1,500", "1,000"]


@settings(max_examples=100)
@given(
    st.lists(st.lists(st.text("abc12.\"' #-é", max_size=5), min_size=3, max_size=3), min_size=3, max_size=6),
    st.sampled_from(",;\t|"),
)
def test_the_fast_way_reads_what_the_careful_one_does(tmp_path_factory, rows, separator):
    """Polars reads tables that need no care; a blank line at the end is care enough for the other way."""
    path = tmp_path_factory.mktemp("files") / "runs.csv"
    content = "params,tokens,loss\n".replace(",", separator) + "".join(separator.join(row) + "\n" for row in rows)
    read_both = []
    for text_of_it in (content, content + "\n"):
        try:
            sheet = delimited(path, text_of_it)
            columns = [[cell or "" for cell in column] for column in sheet.columns]
            read_both.append((sheet.header, columns, list(sheet.lines), sheet.notes))
        except InputError as error:
            read_both.append(str(error))
    assert read_both[0] == read_both[1]


def test_numbers_are_arrays_of_their_own(tmp_path):
    assert np.all(np.isfinite(read(tmp_path, text()).columns["loss"]))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (text((*HEADER, "")), "the header ends in a separator, and the rows do not"),
        (text(cells=(lambda n: f",{n:.0f}", *PLAIN[1:])), "the separator before every row is none"),
    ],
)
def test_separators_that_only_some_lines_have(content, said, tmp_path):
    table = read(tmp_path, content)
    assert same(table)
    assert said in table.notes


def test_compute_that_no_model_has(tmp_path):
    rows = "".join(f"{6 * n * d / 1e18},{loss}\n" for n, d, loss in RUNS)
    notes = read(tmp_path, f"compute,loss\n{rows}", needs=("flops",)).notes
    assert any(
        "is compute that no model has: if they are in EFLOP, say --flops 'compute (EFLOP)'" in note for note in notes
    )
