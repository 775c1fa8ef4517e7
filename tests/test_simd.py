"""Logarithm, exponential and uniform numbers of the kernels, in high precision."""

import mpmath
import numpy as np

from twopart import _simd


@_simd.simd_kernel
def run(x, logs, exps, less):
    for i in range(len(x)):
        logs[i] = _simd.log(x[i])
    for i in range(len(x)):
        exps[i] = _simd.exp(-x[i])
    for i in range(len(x)):
        less[i] = _simd.one_less_exp(x[i])


@_simd.simd_kernel
def uniform(high, low):
    return _simd.uniform(high, low)


def outcome(x):
    out = np.empty((3, len(x)))
    run(x, *out)
    return out


def numbers():
    random = np.random.default_rng(0)
    wide = 10.0 ** random.uniform(-300, 2.8, 3000)
    near = np.concatenate(
        [1 - 2.0 ** -np.arange(1, 54), 1 + 2.0 ** -np.arange(1, 53), np.sqrt(0.5) * (1 + 1e-16 * np.arange(9))]
    )
    return np.concatenate([random.random(1000), wide, near])


def test_within_two_units_in_the_last_place():
    x = numbers()
    functions = (mpmath.log, lambda v: mpmath.exp(-v), lambda v: -mpmath.expm1(-v))
    with mpmath.workdps(40):
        for function, values, units in zip(functions, outcome(x), (1, 1, 2), strict=True):
            exact = [function(mpmath.mpf(v)) for v in x]
            error = [
                abs(float((value - e) / np.spacing(abs(float(e))))) for value, e in zip(values, exact, strict=True)
            ]
            assert max(error) <= units


def test_ends():
    logs, exps, less = outcome(np.array([1.0, 0.0, 1e-300, 700.0, 800.0]))
    assert logs[0] == 0
    assert exps[1] == 1
    assert exps[4] == exps[3] > 0
    assert less[1] == 0
    assert less[2] == 1e-300
    assert less[4] == 1


def test_the_same_at_every_position():
    """SIMD lanes and what is left over at the end of a loop agree to the bit."""
    x = numbers()
    whole = outcome(x)
    for cut in (1, 2, 3, 5, 7):
        assert np.array_equal(outcome(x[cut:]), whole[:, cut:])
        assert np.array_equal(outcome(x[:cut]), whole[:, :cut])


def test_uniform_numbers_are_open():
    top = np.uint64(0xFFFFFFFF)
    assert uniform(np.uint64(0), np.uint64(0)) == 2.0**-53
    assert uniform(top, top) == 1 - 2.0**-53
    assert uniform(np.uint64(2**31), np.uint64(0)) == 0.5 + 2.0**-53
