"""Rounding against torch's casts and ml_dtypes value by value, against plain loops, and its error against draws."""

import ml_dtypes
import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.learners.regression import (
    FORMATS,
    BlockFloat,
    Dither,
    FloatRounding,
    NearestRounding,
    ScalarNoise,
    StochasticRounding,
    quantise,
)

CASTS = {
    "fp8_e4m3": torch.float8_e4m3fn,
    "fp8_e5m2": torch.float8_e5m2,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


def bits_of(dtype):
    """All values of a type."""
    whole = {1: torch.uint8, 2: torch.int16}[dtype.itemsize]
    return torch.arange(2 ** (8 * dtype.itemsize), dtype=torch.int32).to(whole).view(dtype).float()


@pytest.mark.parametrize("name", CASTS)
def test_formats_are_torchs_casts_for_all_values(name):
    """All values, all midpoints and their neighbours, and all numbers of 16 bits. Beyond its end e4m3 was nan in torch before
    2.13, and saturates since; inside, and for the other formats, all versions agree."""
    values = bits_of(CASTS[name])
    values = values[values.isfinite()].unique()
    middle = ((values[1:].double() + values[:-1].double()) / 2).float()
    up, down = (torch.nextafter(middle, torch.tensor(end)) for end in (np.inf, -np.inf))
    x = torch.cat([bits_of(torch.float16), bits_of(torch.bfloat16), values, middle, up, down])
    if name == "fp8_e4m3":
        assert FORMATS[name](torch.tensor([1e9, -1e9])).tolist() == [448, -448]
        x = x[~(x.abs() > 464)]
    for dtype in (torch.float32, torch.float64):
        want = x.to(dtype).to(CASTS[name]).to(dtype)
        got = FORMATS[name](x.to(dtype))
        assert got.dtype == dtype
        same = (got == want) & (got.signbit() == want.signbit()) | (got.isnan() & want.isnan())
        assert bool(same.all()), x[~same][:5]


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("fp8_e4m3", ml_dtypes.float8_e4m3fn),
        ("fp8_e5m2", ml_dtypes.float8_e5m2),
        ("fp4_e2m1", ml_dtypes.float4_e2m1fn),
        ("bf16", ml_dtypes.bfloat16),
    ],
)
def test_formats_are_those_of_ml_dtypes(name, dtype):
    most = float(ml_dtypes.finfo(dtype).max)
    x = np.random.default_rng(0).standard_normal(20_000).astype(np.float32) * np.float32(2.0) ** np.arange(
        -12, 8
    ).repeat(1000)
    x = x[np.abs(x) <= most]
    assert np.array_equal(FORMATS[name](x), x.astype(dtype).astype(np.float32))
    drawn = quantise(name, stochastic=True)(x, np.random.default_rng(1))
    assert np.array_equal(drawn, drawn.astype(dtype).astype(np.float32))  # on the grid,
    assert set(np.sign(drawn - x)) >= {-1, 1}  # on both sides


UNBIASED = (
    StochasticRounding(0.3),
    Dither(0.3),
    ScalarNoise(0.2),
    FloatRounding(0),
    FloatRounding(1, 3),
    quantise("fp8_e4m3", stochastic=True),
    BlockFloat(4, 16),
    quantise("int4", stochastic=True),
)


@pytest.mark.parametrize("q", UNBIASED, ids=str)
def test_chance_rounds_to_the_mean(q, size):
    """At each of many x, the mean over draws is x to 5 standard errors: a bias of 5 % of a step is seen."""
    x, n = torch.linspace(-1.7, 2.3, 32, dtype=torch.float64), size(20_000, 300_000)
    drawn = torch.stack([q(x.expand(n // 4, 32), torch.Generator().manual_seed(k)) for k in range(4)]).reshape(-1, 32)
    error = drawn - x
    scale = error.std(0) / len(drawn) ** 0.5
    assert bool((error.mean(0).abs() <= 5 * scale + 1e-12).all())
    assert bool((scale < 0.01).all())


@pytest.mark.parametrize("std", [0.06, 0.9, 1.6])
@pytest.mark.parametrize(
    "q",
    [
        StochasticRounding(0.7), NearestRounding(0.7), Dither(0.7), ScalarNoise(0.2), FloatRounding(0), FloatRounding(2),
        FloatRounding(1, 3), FloatRounding(2, 2, 1.0), FORMATS["fp4_e2m1"], FORMATS["fp8_e5m2"], BlockFloat(3, 16),
    ],
    ids=str,
)  # fmt: skip
def test_variances_are_those_of_draws(q, std, size):
    """Within 5 standard errors of what is drawn, and half a per cent for blocks; 5 % more or less is seen."""
    n = size(2**17, 2**21)
    random = torch.Generator().manual_seed(3)
    x = std * torch.randn(n // 64, 64, generator=random, dtype=torch.float64)
    squares = (q(x, random) - x).square().mean(1)
    error = float(squares.std()) / len(squares) ** 0.5
    assert abs(float(squares.mean()) - q.variance(std)) < 5 * error + 0.005 * q.variance(std) * isinstance(
        q, BlockFloat
    )
    assert error < 0.01 * q.variance(std)


def test_variances_that_are_published_or_known():
    assert FloatRounding(0).variance(1.0) == pytest.approx(0.082, abs=0.0005)
    assert FloatRounding(1).variance(1.0) == pytest.approx(0.022, abs=0.0005)
    assert FloatRounding(2).variance(1.0) == pytest.approx(0.0056, abs=0.00005)
    assert StochasticRounding(1.7).variance([0.0, 1.0]) == pytest.approx([0, 1.7**2 / 6], rel=2e-3)
    assert StochasticRounding(1.0).variance(0.05) == pytest.approx(0.05 * np.sqrt(2 / np.pi) - 0.05**2, rel=1e-6)
    assert StochasticRounding(1.0).variance(0.04999) == pytest.approx(
        StochasticRounding(1.0).variance(0.05001), rel=1e-3
    )
    assert NearestRounding(0.1).variance(1.0) == pytest.approx(0.1**2 / 12)


def test_blocks_against_a_plain_loop():
    x = np.random.default_rng(1).standard_normal((3, 10)) * 10.0 ** np.arange(-2, 1)[:, None]
    got, want = BlockFloat(4, 4, nearest=True)(x), np.empty_like(x)
    for row, first in ((i, j) for i in range(3) for j in (0, 4, 8)):
        block = x[row, first : first + 4]
        scale = 2 ** np.ceil(np.log2(np.abs(block).max() / 7))
        want[row, first : first + 4] = np.round(block / scale) * scale
    assert got == pytest.approx(want)
    for q in (BlockFloat(4, 4), BlockFloat(4, None)):
        assert np.array_equal(q(np.zeros((2, 3))), np.zeros((2, 3)))
        assert q(np.empty((0, 3))).shape == (0, 3)


@pytest.mark.parametrize(("name", "most"), [("int8", 127), ("int4", 7)])
def test_integers_are_torchs_fake_quantisation(name, most):
    x = torch.randn(50, 20, generator=torch.Generator().manual_seed(0))
    scale = float(x.abs().max()) / most
    assert FORMATS[name](x) == pytest.approx(torch.fake_quantize_per_tensor_affine(x, scale, 0, -most, most))


def test_the_least_numbers_of_a_type():
    """Steps of subnormal numbers are no less than the least one."""
    for dtype in (torch.float32, torch.float64):
        least = torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps
        for bits, given, want in (
            (1, [1, 2, 3, 5, 320], [1, 2, 3, 4, 256]),
            (10, [1, 2, 3, 5, 320], [1, 2, 3, 5, 320]),
        ):
            x, rounded = (torch.tensor(values, dtype=dtype) * least for values in (given, want))
            assert torch.equal(FloatRounding(bits, nearest=True)(x), rounded)


def test_kinds_and_generators():
    q = StochasticRounding(0.5)
    for dtype in (np.float16, np.float32, np.float64):
        drawn = q(np.full((2, 3), 0.2, dtype), np.random.default_rng(0))
        assert drawn.dtype == dtype
        assert drawn.shape == (2, 3)
        assert set(drawn.ravel().tolist()) <= {0.0, 0.5}
    one, two = (q(torch.rand(50), torch.Generator().manual_seed(s)) for s in (1, 1))
    assert one.shape == two.shape
    x = np.linspace(-1, 1, 100)
    assert np.array_equal(q(x, np.random.default_rng(5)), q(x, np.random.default_rng(5)))
    assert not np.array_equal(q(x, np.random.default_rng(5)), q(x, np.random.default_rng(6)))
    assert isinstance(q(0.3), np.ndarray)
    # a quarter of 1 % of a bfloat16 step: numbers of few bits are drawn with many
    tiny = torch.full((40_000,), 1.0, dtype=torch.bfloat16)
    assert float(StochasticRounding(256.0)(tiny, torch.Generator().manual_seed(0)).float().mean()) == pytest.approx(
        1, abs=0.4
    )
    for name in FORMATS:
        assert np.isnan(quantise(name)(np.array([np.nan, 1.0]))).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StochasticRounding(0.0), r"`step` must be a number in \(0, inf\), got 0.0"),
        (lambda: Dither(np.nan), "`step` must be"),
        (lambda: ScalarNoise(1.5), r"`eps` must be a number in \[0, 1\], got 1.5"),
        (lambda: FloatRounding(-1), "`mantissa_bits` must be"),
        (lambda: FloatRounding(3, 12), "`exponent_bits` must be"),
        (lambda: FloatRounding(3, 4, -1.0), "`largest` must be"),
        (lambda: BlockFloat(1), "`bits` must be"),
        (lambda: BlockFloat(4, 0), "`block` must be"),
        (lambda: quantise("fp7"), "`format` must be one of 'fp8_e4m3', .*, got 'fp7'; or give a quantiser"),
        (lambda: Dither(1.0)(np.arange(3)), "`x` must be of floats"),
        (lambda: Dither(1.0).variance(-1.0), r"`std` must be in \[0, inf\), got -1.0"),
        (lambda: Dither(1.0).variance([1.0, np.nan]), "`std` must be"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
