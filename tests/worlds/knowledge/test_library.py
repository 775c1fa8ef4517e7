"""The standard library as a text: there, in order, and without its tests and what was installed beside it."""

from twopart.worlds.knowledge.library import LEFT_OUT, standard_library


def test_the_library_is_there_without_tests():
    files = standard_library()
    assert len(files) > 300
    assert any(path.name == "argparse.py" for path in files)
    assert not any(LEFT_OUT & set(path.parts) for path in files)
    assert files == tuple(sorted(files))
