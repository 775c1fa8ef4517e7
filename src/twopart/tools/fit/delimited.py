"""Text tables as programs write them: which separator, where the header is, what is a comment, how rows begin and end.

Read and said: `sep=;` of Excel, lines with # (and a header behind one, as NumPy writes it), rules of Markdown and databases, a
separator at the end of every row, row names as R writes them. A title above the header is refused with the header's line.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from twopart._checks import InputError
from twopart.tools.fit.cells import BROKEN, GAPS
from twopart.tools.fit.sheet import Sheet, listed

Record = tuple[int, list[str]]
"""Line and cells."""

SEPARATORS = ",;\t|"
SAMPLE = 64  # lines that show what parts the fields
ABOVE = 10  # records among which a header below a title is looked for

_NUMBER = re.compile(r"[+-]?(\d[\d.,'_\s]*|\.\d+)([eE][+-]?\d+)?\s?[a-zA-Z]?")
_RULE = re.compile(r"[-+=:|]*(--|==)[-+=:|]*|\(\d+rows?\)|onlyshowingtop\d+rows?")
"""What is drawn between rows, and what PostgreSQL and Spark write under them; without spaces."""


def delimited(path: Path, text: str, note: str | None = None) -> Sheet:
    """The table in a text; `note` says how it was decoded."""
    lines = list(io.StringIO(text, newline=""))
    start, separator, comments = _above(lines)
    separator = separator or _separator(lines[start : start + SAMPLE])
    if not comments and not note and (sheet := _regular(path, lines[start:], separator, start)):
        return sheet
    found = list(_records(path, lines[start:], separator, start))
    notes = [note] if note else []
    if found and comments and _numbers(found[0][1]):
        line, words = comments[-1]
        names = next(csv.reader([words.lstrip("# ")], delimiter=separator, skipinitialspace=True))
        if len(names) == len(found[0][1]):
            found.insert(0, (line, names))
            comments.pop()
            notes.append(f"the header is line {line}, behind #")
    found, more = _without_comments(found)
    if skipped := [line for line, _ in comments] + more:
        notes.append(f"skipped as comments: line{'s' * (len(skipped) > 1)} {listed(skipped)}")
    quoted = re.compile(rf'"[^"]*"{re.escape(separator)}[^"]')
    named = bool(found) and not quoted.match(lines[start]) and all(map(quoted.match, lines[start + 1 :]))
    return table(path, found, separator, tuple(notes), named)


def _above(lines: list[str]) -> tuple[int, str | None, list[tuple[int, str]]]:
    """How many lines come before the table, the separator that they name, and the comments among them."""
    separator, comments = None, []
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        if named := re.fullmatch(r'"?sep=(.)"?', line.strip("\r\n ")):
            separator = named[1]
        elif bare.startswith("#") and not re.match(r'#"?\s*[,;\t|]', bare):
            comments.append((number, bare))
        elif bare:
            return number - 1, separator, comments
    return len(lines), separator, comments


def _separator(lines: Sequence[str]) -> str:
    """The one that cuts most lines into the same number of fields; white space only where nothing else cuts them."""

    first = next((line for line in lines if line.strip()), "")

    def cuts(separator: str) -> tuple[float, int, int]:
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=separator == " ")
        try:
            widths = Counter(len(cells) for cells in reader if any(cells))
        except csv.Error:
            return 0.0, 0, 0
        width, rows = max(widths.items(), key=lambda one: (one[1], one[0]), default=(0, 0))
        header = len(next(csv.reader([first], delimiter=separator), []))  # a separator in quotes cuts nothing
        return (rows / widths.total(), width, header) if width > 1 else (0.0, 0, 0)

    best = max(SEPARATORS, key=cuts)
    if cuts(best)[1] > 1 or not cuts(" ")[1]:
        return best if cuts(best)[1] > 1 else max(SEPARATORS, key=first.count)
    return " "


def _regular(path: Path, lines: list[str], separator: str, start: int) -> Sheet | None:
    """A table in which nothing needs care, read at once by polars; None if there is anything.

    Polars tells no lines, and takes a short row for one with gaps: so every line must have as many separators as the first, and
    every quote must be around a whole field.
    """
    text = "".join(lines)
    first = lines[0].rstrip("\r\n") if lines else ""
    width = first.count(separator) + 1
    if width < 2 or len(lines) < 2 or separator == " " or "\n#" in text:
        return None
    if text.count(separator) != (width - 1) * len(lines):
        return None
    try:
        frame = pl.read_csv(
            text.encode(),
            has_header=False,
            separator=separator,
            quote_char=None,
            infer_schema=False,
            truncate_ragged_lines=False,
        )
    except pl.exceptions.PolarsError:
        return None
    columns = [_unquoted(column) for column in frame]
    if frame.shape != (len(lines), width) or any(column is None for column in columns):
        return None
    drawn = frame.select(pl.all_horizontal(pl.all().str.contains("^[-+=:| ]*$").fill_null(True)).any()).item()
    header = [(column[0] or "").strip() for column in columns if column is not None]
    if drawn or sum(map(bool, header)) < 2 or _numbers(header):
        return None
    rest = tuple(column[1:] for column in columns if column is not None)
    return Sheet(path, tuple(header), rest, range(start + 2, start + 1 + len(lines)), "line", separator)


def _unquoted(column: pl.Series) -> pl.Series | None:
    """Without the quotes around its fields; None if there are other quotes."""
    if not column.str.contains('"', literal=True).any():
        return column
    inner = column.str.extract('^"([^"]*)"$')
    bare = pl.select(pl.when(inner.is_null()).then(column).otherwise(inner)).to_series()
    return None if bare.str.contains('"', literal=True).any() else bare


def _records(path: Path, lines: Sequence[str], separator: str, start: int) -> Iterator[Record]:
    """Those that are not blank."""
    reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=separator == " ")
    line = start + 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            remedy = "close it, or double the quotes inside it" if "end of data" in str(error) else "see to its quotes"
            raise InputError(f"{path}, line {line}: a quoted field is broken ({error}); {remedy}") from error
        if "".join(cells).strip():
            yield line, cells
        line = start + reader.line_num + 1


def _without_comments(found: list[Record]) -> tuple[list[Record], list[int]]:
    """Rows that # takes out of the table, unless all begin so or it is #N/A; and the rules of tables drawn in letters."""

    def comment(cells: list[str]) -> bool:
        first = cells[0].strip().lower()
        return first.startswith("#") and first not in GAPS and first not in BROKEN

    drawn = [
        one for one in found if not (one[1][0][:1] in "-+=:|(o" and _RULE.fullmatch("".join(one[1]).replace(" ", "")))
    ]
    rows = [line for line, cells in drawn[1:] if cells[0][:1] == "#" and comment(cells)]
    if not rows or len(rows) == len(drawn) - 1:
        return drawn, []
    gone = set(rows)
    return [one for one in drawn if one[0] not in gone], rows


def table(
    path: Path, found: list[Record], separator: str | None, notes: tuple[str, ...] = (), named: bool = False
) -> Sheet:
    """A header and the rows under it, all of one width; `named` rows have quotes around their first field alone."""
    if not found:
        raise InputError(f"{path} is empty; its first line must name the columns")
    _refuse_title(path, found)
    (first, names), *body = found
    header = [name.strip().strip("\ufeff") for name in names]
    if _numbers(header):
        raise InputError(f"{path}, line {first}: the first line holds numbers; it must name the columns")
    if not body:
        raise InputError(f"{path}: there are no rows under the header; add one for each training run")
    header, rows, note = _of_one_width(path, header, body, separator, named)
    columns = tuple(pl.Series(column, dtype=pl.String) for column in zip(*rows, strict=True))
    return Sheet(path, tuple(header), columns, [line for line, _ in body], "line", separator, (*notes, *note))


def _refuse_title(path: Path, found: list[Record]) -> None:
    """A first line that names nothing, above one that does."""
    usual = Counter(len(cells) for _, cells in found[1:]).most_common(1)
    line, first = found[0]
    if not usual or (len(first) == usual[0][0] and sum(map(bool, first)) > 1):
        return
    for below, cells in found[1 : ABOVE + 1]:
        filled = [cell for cell in cells if cell.strip()]
        if (
            len(cells) == usual[0][0]
            and len(filled) > 1
            and not any(_NUMBER.fullmatch(cell.strip()) for cell in filled)
        ):
            raise InputError(
                f"{path}, line {line}: this is no header; the header seems to be on line {below}: take out the lines above it, "
                f"or begin them with #"
            )


def _of_one_width(
    path: Path, header: list[str], body: list[Record], separator: str | None, named: bool
) -> tuple[list[str], list[list[str]], list[str]]:
    """Header and rows of one width, and what was done for it."""
    rows, width = [cells for _, cells in body], len(header)
    widths = set(map(len, rows))
    if widths == {width}:
        return header, rows, []
    while len(widths) == 1 and header and not header[-1] and max(widths) < len(header):
        header = header[:-1]
    if widths == {len(header)}:
        return header, rows, ["the header ends in a separator, and the rows do not"]
    if len(widths) == 1 and min(widths) > width and not any(any(map(str.strip, cells[width:])) for cells in rows):
        return header, [cells[:width] for cells in rows], ["the separator at the end of every row is none"]
    if widths == {width + 1} and not any(cells[0].strip() for cells in rows):
        return header, [cells[1:] for cells in rows], ["the separator before every row is none"]
    if widths == {width + 1} and (named or _name_rows([cells[0].strip() for cells in rows])):
        return ["", *header], rows, ["the first field of every row is its name: the header has one field less"]
    line, cells = next((line, cells) for line, cells in body if len(cells) != width)
    if len(cells) < width:
        remedy = "write every field, if empty" if len(cells) > 1 else "write every field, or begin a comment with #"
    elif len(widths) == 1 and separator == ",":
        remedy = "if commas are decimal, part the fields by semicolons; else name every column"
    else:
        remedy = "quote a field that holds the separator" if len(widths) > 1 else "name every column in the header"
    count = f"{len(cells)} field{'s' * (len(cells) != 1)}"
    raise InputError(f"{path}, line {line}: {count} where the header has {width}; {remedy}")


def _name_rows(first: list[str]) -> bool:
    """Whether these may be names of rows: no two alike, and no numbers but those that count the rows."""
    if len(set(first)) < len(first):
        return False
    counted = [str(start + row) for start in (0, 1) for row in range(len(first))]
    return first in (counted[: len(first)], counted[len(first) :]) or not any(map(_NUMBER.fullmatch, first))


def _numbers(cells: list[str]) -> bool:
    """Whether all that is there are numbers."""
    filled = [cell for cell in cells if cell.strip()]
    return bool(filled) and all(_NUMBER.fullmatch(cell.strip()) for cell in filled)
