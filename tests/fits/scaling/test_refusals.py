"""What cannot be fitted is refused, with the reason and the remedy."""

import numpy as np
import pytest

from tests.fits.scaling.planted import chinchilla_design, columns, losses
from twopart._checks import InputError
from twopart.fits import scaling_law

RUNS = chinchilla_design(30)
LOSS = losses("chinchilla", RUNS, 0.002)


def _with(column, row, value):
    changed = {"params": RUNS["params"].copy(), "tokens": RUNS["tokens"].copy(), "loss": LOSS.copy()}
    changed[column][row] = value
    return changed


@pytest.mark.parametrize("column", ["params", "tokens", "loss"])
@pytest.mark.parametrize("value", [np.nan, 0.0, -1.0, np.inf])
def test_values_that_are_no_measurements(column, value):
    with pytest.raises(InputError, match=rf"`{column}` must be finite and > 0 in every row, got .* in row 7"):
        scaling_law(**_with(column, 7, value))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": RUNS["tokens"][:-1]}, "as long as loss, 30"),
        ({"params": RUNS["params"][:, None]}, "one-dimensional"),
        ({"params": None}, "given for the form 'chinchilla'"),
        ({"loss": None}, "one loss per run"),
        ({"params": np.full(30, 1e8)}, "`params` must be of more than one value"),
        ({"tokens": np.full(30, 1e8)}, "`tokens` must be of more than one value"),
        ({"loss": np.exp(8 * LOSS)}, "a perplexity is turned into nats"),
        ({"unit": "bytes"}, "name the unit of the loss"),
        ({"form": "parabola"}, "one of 'chinchilla', 'kaplan'"),
        ({"form": "repeated", "unique_tokens": RUNS["tokens"]}, "take 'chinchilla': no data is repeated"),
        ({"objective": "mean"}, "one of 'huber'"),
        ({"delta": 0.0}, "1e-3 is customary"),
        ({"drop_highest": 30}, "keep some runs"),
        ({"drop_highest": 25}, "at least 6 for 'chinchilla'"),
        ({"resamples": -1}, "0 leaves the bootstrap out"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        scaling_law(**({"params": RUNS["params"], "tokens": RUNS["tokens"], "loss": LOSS} | arguments))


def test_a_run_given_twice():
    again = {name: np.r_[values, values[3]] for name, values in (RUNS | {"loss": LOSS}).items()}
    with pytest.raises(InputError, match=r"must be distinct, got 'row 30 \(as 3\) again'; .* keep_duplicates=True"):
        scaling_law(**again)
    assert len(scaling_law(resamples=0, keep_duplicates=True, **again).runs) == 31
    twice = {name: np.r_[values, values] for name, values in (RUNS | {"loss": LOSS}).items()}
    with pytest.raises(InputError, match=r"rows 30 \(as 0\), 31 \(as 1\), .* and 20 more again"):
        scaling_law(**twice)
    again["loss"][-1] *= 1.001
    assert len(scaling_law(resamples=0, **again).runs) == 31


def test_an_exponent_at_its_bound():
    """Losses that do not depend on N at all leave its exponent nothing to hold on to, or the law without its term."""
    loss = losses("data", columns(60))
    with pytest.raises(InputError, match=r"`(alpha|A)` must be"):
        scaling_law(columns(60)["params"], columns(60)["tokens"], loss)


def test_bits_are_nats_over_ln_2():
    nats = scaling_law(loss=LOSS, resamples=50, **RUNS)
    bits = scaling_law(loss=LOSS / np.log(2), unit="bits", resamples=50, **RUNS)
    assert np.array([bits.E, bits.A]) * np.log(2) == pytest.approx([nats.E, nats.A], rel=1e-5)
    assert (bits.alpha, bits.beta) == pytest.approx((nats.alpha, nats.beta), rel=1e-5)


def test_curves():
    of = np.arange(30) // 3
    fit = scaling_law(loss=LOSS, curves=of, resamples=100, **RUNS)
    assert len(np.unique(fit.runs.curves)) == 10
    with pytest.raises(
        InputError, match="`curves` must be at least 6 for 'chinchilla', got 3; whole curves are resampled"
    ):
        scaling_law(loss=LOSS, curves=of // 4, **RUNS)
    with pytest.raises(InputError, match="`curves` must be as long as loss, 30"):
        scaling_law(loss=LOSS, curves=of[:4], **RUNS)
    with pytest.raises(InputError, match="`resamples` must be > 0 for curves"):
        scaling_law(loss=LOSS, curves=of, resamples=0, **RUNS)


def test_bits_per_byte_are_a_unit():
    assert scaling_law(loss=LOSS / 3, unit="bpb", resamples=0, **RUNS).unit == "bpb"
    with pytest.raises(InputError, match="a loss in bits per byte, <= 16"):
        scaling_law(loss=LOSS * 10, unit="bpb", **RUNS)
