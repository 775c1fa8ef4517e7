"""Tests of studies. `register_circle` adds the study of circle.py to the registry of this process."""

from twopart.studies import _study


def register_circle() -> None:
    _study.REGISTRY["circle"] = _study.Entry("tests.studies.circle", "What is the area of a circle?")
