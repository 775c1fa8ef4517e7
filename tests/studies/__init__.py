"""Tests of studies. CIRCLE is the path of the study of circle.py, as a user names a study of their own."""

from pathlib import Path

CIRCLE = str(Path(__file__).parent / "circle.py")
