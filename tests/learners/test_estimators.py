"""The base of regressors with scikit-learn's interface."""

import sys
from importlib import reload

import pytest

from twopart.learners import _estimators


def test_without_scikit_learn_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(ImportError, match=r"pip install 'twopart\[estimators\]'"):
        reload(_estimators)
    monkeypatch.undo()
    reload(_estimators)
