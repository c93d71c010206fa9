"""Rounding: weights to whole multiples of a scale such that a layer's sums change least."""

from __future__ import annotations

import numpy as np

from hwr.arrays import Doubles

#: What is added to the mean square of every input, as a share of their mean: inputs that were
#: hardly seen must not be relied on to make up for others.
DAMPING = 0.01


def round_weights(weights: Doubles, scales: Doubles, moments: Doubles, limit: int) -> Doubles:
    """Return whole numbers that stand for `weights` when multiplied by `scales`.

    Not each to its nearest: inputs go together, so what one weight is off after rounding, those
    not yet rounded can make up for (Frantar et al., "GPTQ: Accurate post-training quantization
    for generative pre-trained transformers", 2022). Inputs with the largest squares come first.

    Args:
        weights: (N, K), of N sums of K inputs.
        scales: (N,), above 0.
        moments: (K, K) sums of the products of every two inputs, over many pictures.
        limit: the largest whole number, and minus the smallest.

    Returns:
        (N, K) whole numbers, -limit to limit.
    """
    order = np.argsort(-np.diag(moments), kind="stable")
    rest = np.array(weights[:, order], np.float64)
    damping = DAMPING * float(np.diag(moments).mean()) or 1.0
    squares = moments[np.ix_(order, order)] + damping * np.eye(len(moments))
    # Row k: how much the inputs behind k make up for an error of input k.
    factor = np.linalg.cholesky(np.linalg.inv(squares)).T
    rounded = np.empty_like(rest)
    for k in range(rest.shape[1]):
        rounded[:, k] = np.clip(np.round(rest[:, k] / scales), -limit, limit)
        error = (rest[:, k] - rounded[:, k] * scales) / factor[k, k]
        rest[:, k + 1 :] -= np.outer(error, factor[k, k + 1 :])
    return rounded[:, np.argsort(order)]
