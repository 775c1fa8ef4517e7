"""What the README says, run as written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import twopart as tp

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def blocks(title):
    """Indented lines of the section with this title."""
    section = README.split(f"## {title}\n")[1].split("\n## ")[0]
    return [line.strip() for line in section.splitlines() if line.startswith("    ")]


@pytest.mark.slow
def test_the_python_example(tmp_path):
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "tiny" / "index.html").exists()


@pytest.mark.slow
def test_the_commands(tmp_path):
    commands = [line.split("#")[0].strip() for line in blocks("On the command line")]
    assert len(commands) >= 5
    (tmp_path / "README.md").write_text(README)
    page = (ROOT / "docs/writing-a-study.md").read_text()
    (tmp_path / "one_pass_sgd.py").write_text(re.search(r"```python\n(.*?)```", page, re.DOTALL).group(1))
    for command in commands:
        done = subprocess.run(
            command.split(), cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=300
        )
        assert done.returncode in (0, 1), (command, done.stderr)
        assert done.returncode == 0 or command.startswith("twopart run"), (command, done.stderr)


def test_it_is_short():
    lines = README.splitlines()
    assert len(lines) <= 130
    assert [line for line in lines if len(line) > 128 and not line.startswith("|")] == []


def test_every_study_is_named():
    section = README.split("## The studies\n")[1].split("\n## ")[0]
    assert sorted(re.findall(r"`([\w-]+)`", section)) == sorted(tp.studies.names())


def test_every_path_exists():
    paths = re.findall(r"`((?:src|docs|benchmarks|scripts)[\w/.-]*)`", README) + re.findall(
        r"\]\(((?!http)[^)]+)\)", README
    )
    assert len(paths) > 8
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_two_commands_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for line in blocks("Two commands"):
        target = line.split()[1]
        assert f"\n{target}: " in makefile
