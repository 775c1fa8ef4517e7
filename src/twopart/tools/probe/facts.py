"""Facts in a table: one row for each, with a subject and an answer, and what else is known of it.

subject, answer        text; the answer's forms are parted by |, as in `the United States|USA|America`
frequency              any positive number that goes with how often the fact is told; other columns by `frequency`, one or two
group                  facts whose subjects look alike, of one country or language; the answer, if there is no column
twin                   invented subjects that look like those of the group, parted by |; invented here, if there is none
weight                 how many facts the row stands for in the population that it was drawn from; 1
near                   answers that lie near the true one, parted by |: where wrong answers may fall
prompt                 the whole question, the subject in it; if there is none, `templates` ask
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import InputError
from twopart._files import check_source

DATA = Path(__file__).parent / "data"
SLOT = "{subject}"
SHIPPED = {
    "capitals": ("The capital of {subject} is", "Question: What is the capital of {subject}?\nAnswer: The capital is"),
    "cities": (
        "The city of {subject} is in the country of",
        "The city of Bordeaux is in France. The city of Naples is in Italy. The city of Kyoto is in Japan. "
        "The city of Houston is in the United States. The city of {subject} is in",
    ),
    "indian-states": (
        "The Indian city of {subject} is in the state of",
        "Amritsar is in Punjab. Guwahati is in Assam. Shimla is in Himachal Pradesh. {subject} is in",
    ),
}
"""Files that ship with the package, and the templates that ask for them."""
Strings = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Facts:
    """N facts with answers among C candidates."""

    subject: Strings
    answer: NDArray[np.int64]
    """The true candidate (N,)."""
    candidates: tuple[Strings, ...]
    """The forms of each; the first is its name."""
    group: Strings
    frequency: NDArray[np.float64] | None
    """(N,), positive."""
    other: NDArray[np.float64] | None
    """A second proxy of it (N,), positive."""
    twins: tuple[Strings, ...] | None
    """Of each fact, where the table has them."""
    weight: NDArray[np.float64]
    near: tuple[frozenset[int], ...] | None
    prompt: Strings | None
    templates: Strings
    left_out: int
    """Rows whose subject has the answer in it."""

    def __len__(self) -> int:
        return len(self.subject)

    @property
    def names(self) -> Strings:
        return tuple(forms[0] for forms in self.candidates)

    def questions(self, template: str, fact: int, subjects: Sequence[str]) -> list[str]:
        """The fact's prompt with each of the subjects in it."""
        if self.prompt is not None:
            return [self.prompt[fact].replace(self.subject[fact], subject) for subject in subjects]
        return [template.replace(SLOT, subject) for subject in subjects]

    def sampled(self, count: int, seed: int) -> Facts:
        """At most `count` of them, drawn at random, in their order; each stands for as many more."""
        if len(self) <= count:
            return self
        kept = np.sort(_random.generator(seed, "facts").choice(len(self), count, replace=False)).tolist()

        def some(values: Any) -> Any:
            return None if values is None else tuple(values[i] for i in kept)

        return replace(
            self,
            subject=some(self.subject),
            answer=self.answer[kept],
            group=some(self.group),
            frequency=None if self.frequency is None else self.frequency[kept],
            other=None if self.other is None else self.other[kept],
            twins=some(self.twins),
            weight=self.weight[kept] * len(self) / count,
            near=some(self.near),
            prompt=some(self.prompt),
        )


def read_facts(
    source: str | Path,
    *,
    templates: Sequence[str] = (),
    frequency: str = "frequency",
    candidates: str | Path | None = None,
) -> Facts:
    """The facts in a CSV or Parquet file, or in one that ships: "capitals", "cities", "indian-states".

    `templates` ask for them, with {subject} in its place; answers are chosen among `candidates`, a file with one on each line,
    or among all answers. `frequency` names the column, or two with a comma between: then the learner's own width is estimated
    from both (`fits.two_proxies`), and all else from the first. Raises `InputError` that names the row for a subject with two
    answers, an empty cell, a frequency that is not positive, or a template without its place.
    """
    shipped = str(source) in SHIPPED and not Path(source).exists()
    path = DATA / f"{source}.csv" if shipped else Path(source)
    frame = _frame(path)
    templates = tuple(templates) or (SHIPPED[str(source)] if shipped else ())
    for template in templates:
        if template.count(SLOT) != 1 or template != template.strip():
            raise InputError(f"the template {template!r} must have {SLOT} once and no space at its ends; change it")
    if len(set(templates)) < len(templates):
        raise InputError(f"a template is given twice among {', '.join(map(repr, templates))}; give each once")
    if not templates and "prompt" not in frame.columns:
        raise InputError(f"{path} has no column prompt; give a template, as in --template 'The capital of {SLOT} is'")
    proxies = [name.strip() for name in frequency.split(",")]
    for name in proxies:
        if name not in frame.columns and proxies != ["frequency"]:
            raise InputError(f"{path} has no column {name!r}; it has {', '.join(frame.columns)}")
    if len(proxies) > 2:
        raise InputError(f"`frequency` names {len(proxies)} columns, {frequency!r}; one or two proxies are read")
    if frame.is_empty():
        raise InputError(f"{path} has no fact; give it rows")
    _check_unique(path, frame)
    forms = _candidates(path, frame, candidates)
    place = {name: index for index, (name, *_) in enumerate(forms)}
    inside = [
        any(form.lower() in subject.lower() for form in forms[place[_name(answer)]])
        for subject, answer in zip(frame["subject"], frame["answer"], strict=True)
    ]
    frame = frame.with_row_index("row", 2).filter(~pl.Series(inside))
    if len(forms) < 2 or frame.is_empty():
        raise InputError(f"{path} has {len(forms)} candidates and {len(frame)} facts; give it two and one at least")
    answer = np.array([place[_name(text)] for text in frame["answer"]])
    return Facts(
        subject=tuple(frame["subject"]),
        answer=answer,
        candidates=tuple(forms),
        group=_texts(path, frame, "group") or tuple(forms[a][0] for a in answer),
        frequency=_positive(path, frame, proxies[0]),
        other=_positive(path, frame, proxies[1]) if len(proxies) == 2 else None,
        twins=_lists(path, frame, "twin"),
        weight=np.ones(len(frame)) if (w := _positive(path, frame, "weight")) is None else w,
        near=None
        if (near := _lists(path, frame, "near")) is None
        else tuple(frozenset(place[name] for name in names if name in place) for names in near),
        prompt=_prompts(path, frame),
        templates=templates or ("as given",),
        left_out=sum(inside),
    )


def _frame(path: Path) -> pl.DataFrame:
    check_source(path, f"name a CSV or Parquet file, or one of {', '.join(SHIPPED)}")
    try:
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} is no table that can be read ({str(error).splitlines()[0]}); save it as CSV"
        ) from error
    for name in ("subject", "answer"):
        if name not in frame.columns:
            raise InputError(f"{path} has no column {name!r}; it has {', '.join(frame.columns)}")
        empty = frame[name].cast(pl.String).str.strip_chars(" |").fill_null("") == ""
        if empty.any():
            raise InputError(f"{path}, row {(empty.arg_max() or 0) + 2}: no {name}; fill it in, or leave the row out")
    return frame.with_columns(pl.col("subject", "answer").cast(pl.String).str.strip_chars())


def _name(answer: str) -> str:
    return answer.split("|")[0].strip()


def _check_unique(path: Path, frame: pl.DataFrame) -> None:
    seen: dict[str, tuple[int, str]] = {}
    for row, (subject, answer) in enumerate(frame.select("subject", "answer").iter_rows(), 2):
        before, other = seen.setdefault(subject, (row, answer))
        if before != row:
            what = (
                "twice"
                if _name(other) == _name(answer)
                else f"with two answers, {_name(other)!r} and {_name(answer)!r}"
            )
            raise InputError(f"{path}, rows {before} and {row}: {subject!r} is there {what}; leave one out")


def _candidates(path: Path, frame: pl.DataFrame, source: str | Path | None) -> list[Strings]:
    """Their forms, those of one name taken together, in order of appearance."""
    lines = frame["answer"].to_list()
    if source is not None:
        check_source(source, "name a file with one answer on each line")
        lines = [line for line in Path(source).read_text("utf-8").splitlines() if line.strip()]
    forms: dict[str, dict[str, None]] = {}
    for line in lines:
        forms.setdefault(_name(line), {}).update({form.strip(): None for form in line.split("|") if form.strip()})
    if missing := {_name(answer) for answer in frame["answer"]} - set(forms):
        raise InputError(f"{path} has the answer {min(missing)!r}, which {source} lacks; add it there")
    return [tuple(found) for found in forms.values()]


def _texts(path: Path, frame: pl.DataFrame, name: str) -> Strings | None:
    return tuple(frame[name].cast(pl.String).fill_null("")) if name in frame.columns else None


def _lists(path: Path, frame: pl.DataFrame, name: str) -> tuple[Strings, ...] | None:
    texts = _texts(path, frame, name)
    return None if texts is None else tuple(tuple(filter(None, map(str.strip, text.split("|")))) for text in texts)


def _positive(path: Path, frame: pl.DataFrame, name: str) -> NDArray[np.float64] | None:
    if name not in frame.columns:
        return None
    numbers = frame[name].cast(pl.Float64, strict=False)
    bad = ~(numbers.is_finite() & (numbers > 0)).fill_null(False)
    if bad.any():
        row = bad.arg_max() or 0
        text = frame[name][row]
        raise InputError(f"{path}, row {frame['row'][row]}: {name} is {text!r}, not a number > 0; leave the row out")
    return numbers.to_numpy()


def _prompts(path: Path, frame: pl.DataFrame) -> Strings | None:
    prompts = _texts(path, frame, "prompt")
    for row, subject, prompt in zip(frame["row"], frame["subject"], prompts or (), strict=False):
        if subject not in prompt:
            raise InputError(f"{path}, row {row}: its prompt lacks the subject {subject!r}; write it as in the column")
    return prompts
