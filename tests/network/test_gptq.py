from __future__ import annotations

import numpy as np

from hwr.network.gptq import round_weights

RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(0, 1, (6, 20))
SCALES = np.abs(WEIGHTS).max(axis=1) / 8


def error(rounded: np.ndarray, moments: np.ndarray) -> float:
    """Return the mean square of what the sums are off, over the inputs behind `moments`."""
    off = WEIGHTS - rounded * SCALES[:, None]
    return float(np.einsum("nk,kl,nl->", off, moments, off))


def test_inputs_that_have_nothing_to_do_with_each_other_round_to_the_nearest() -> None:
    moments = np.diag(RNG.uniform(1, 5, 20))
    nearest = np.round(WEIGHTS / SCALES[:, None])
    np.testing.assert_array_equal(round_weights(WEIGHTS, SCALES, moments, 8), nearest)


def test_inputs_that_were_never_seen_round_to_the_nearest() -> None:
    nearest = np.round(WEIGHTS / SCALES[:, None])
    np.testing.assert_array_equal(round_weights(WEIGHTS, SCALES, np.zeros((20, 20)), 8), nearest)


def test_inputs_that_go_together_make_up_for_each_other() -> None:
    inputs = RNG.normal(0, 1, (500, 4)) @ RNG.normal(0, 1, (4, 20)) + RNG.normal(0, 0.1, (500, 20))
    moments = inputs.T @ inputs
    rounded = round_weights(WEIGHTS, SCALES, moments, 8)
    assert (rounded == np.round(rounded)).all()
    nearest = np.clip(np.round(WEIGHTS / SCALES[:, None]), -8, 8)
    assert error(rounded, moments) < 0.2 * error(nearest, moments)


def test_the_limit_is_kept() -> None:
    inputs = np.repeat(RNG.normal(0, 1, (500, 1)), 20, axis=1)
    rounded = round_weights(WEIGHTS, SCALES / 3, inputs.T @ inputs, 8)
    assert np.abs(rounded).max() == 8
