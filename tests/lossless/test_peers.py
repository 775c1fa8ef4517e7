"""Other people's compressors: those that are here restore text, and one that does not is left out."""

from twopart.lossless.peers import peers, size_by

TEXT = b"to be or not to be " * 100


def test_every_peer_that_is_here_restores_text():
    sizes = {name: size_by(codec, TEXT) for name, codec in peers()}
    assert all(bits < 8 * len(TEXT) for bits, _ in sizes.values() if bits is not None)
    assert all((bits is None) == bool(note) for bits, note in sizes.values())
    assert all(sizes[name][0] for name in ("xz -9e", "bzip2 -9", "gzip -9"))


def test_a_peer_that_does_not_restore_is_left_out():
    assert size_by((lambda data: data[:5], lambda code: code), TEXT) == (None, "it does not restore what it coded")
    assert size_by((bytes, bytes), TEXT) == (8 * len(TEXT), "")
    assert size_by(None, TEXT) == (None, "its module is not installed")
