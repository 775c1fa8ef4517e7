"""How a cell is named: equal cases share a hash, different ones do not, whatever the process."""

import subprocess
import sys
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from twopart.lab.cell import Cell, Job, canonical, plain
from twopart.lab.work import Work


class Colour(Enum):
    RED = 1


@dataclass(frozen=True)
class Constant:
    rate: float = 0.1


@dataclass(frozen=True)
class Cosine:
    rate: float = 0.1


@dataclass(frozen=True)
class Settings:
    schedule: Any = Constant()
    sizes: Any = (1, 2)


DEFAULT = Settings()


def job(
    case: Any = DEFAULT, seed: int = 0, function: str = "f", replicate: int = 0, study: str = "s", version: int = 1
) -> Job:
    return Job(study, "m", Work(function, case, 3, version=version), replicate, seed, Path("cells"))


def test_each_part_of_the_identity_changes_the_hash() -> None:
    others = [
        job(Settings(schedule=Cosine())),
        job(Settings(schedule=Constant(0.2))),
        job(Settings(sizes=(2, 1))),
        job(seed=1),
        job(function="g"),
        job(replicate=1),
        job(study="t"),
        job(version=2),
    ]
    assert len({job().hash, *(other.hash for other in others)}) == 9


def test_the_module_the_cost_the_number_of_replicates_and_the_folder_do_not() -> None:
    other = replace(job(), module="elsewhere.m", work=Work("f", DEFAULT, 5, cost=3.0), cells=Path("elsewhere"))
    assert other.hash == job().hash


def test_a_name_is_a_promise() -> None:
    """Cells of published runs keep theirs: were this digest to change, no stored result could be taken up again."""
    assert job().hash == "8c0092d422c623433fda6c26094898cd"


def test_equal_values_of_other_types_share_a_hash() -> None:
    assert job(Settings(sizes=[1, 2])).hash == job(Settings(sizes=(np.int32(1), np.int64(2)))).hash


def test_the_hash_is_the_same_in_another_process() -> None:
    code = "from tests.lab.test_cell import job; print(job().hash)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == job().hash


def test_configs_become_plain_values() -> None:
    settings = Settings(schedule=Cosine(0.5), sizes={"a": Path("x/y"), "b": Colour.RED, "c": [None, True, "s"]})
    assert plain(settings) == {
        "schedule": {"type": "Cosine", "rate": 0.5},
        "sizes": {"a": "x/y", "b": "RED", "c": [None, True, "s"]},
    }


@given(
    st.dictionaries(st.text(max_size=3), st.integers() | st.floats(allow_nan=False, allow_infinity=False), max_size=5)
)
def test_the_order_of_keys_does_not_matter(values: dict[str, float]) -> None:
    backwards = dict(reversed(values.items()))
    assert canonical(plain(Settings(sizes=values))) == canonical(plain(Settings(sizes=backwards)))


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes", Constant])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="may hold numbers, strings"):
        plain(Settings(sizes=value))


def test_a_stream_of_torch_for_each_seed_and_purpose(tmp_path: Path) -> None:
    def first(seed: int, *purpose: str | int) -> float:
        return float(torch.rand((), generator=Cell(tmp_path, seed).generator(*purpose)))

    assert first(1, "chains") == first(1, "chains")
    assert len({first(1, "chains"), first(2, "chains"), first(1, "rows"), first(1, "chains", 1)}) == 4
