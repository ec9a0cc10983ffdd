"""What activation a server applies, found out by asking both ways: servers ignore a field that they do not know.

One number per text can be raw or behind a sigmoid, several raw, behind a sigmoid each, or behind a softmax.
"""

import numpy as np
from scipy.special import expit, softmax

from reward_gateway.sample import FloatArray

from .config import Activation

CLOSE = 2e-2
"""Difference up to which two activated scores are the same: reduced precision rounds them differently."""


def explain_activation(wanted: Activation, raw: FloatArray, activated: FloatArray) -> str:
    """Why a server does not give the scores that are wanted; empty if it does.

    Args:
        raw: [m, K] scores of m texts, asked for without an activation.
        activated: the same, asked for with one.
    """
    forms = {"sigmoid": expit(raw), "softmax": softmax(raw, axis=1)}
    if np.allclose(raw, activated, rtol=CLOSE, atol=CLOSE):
        return _explain_ignored(wanted, raw)
    if any(np.allclose(form, raw, atol=CLOSE) for form in (expit(activated), softmax(activated, axis=1))):
        return "it understands use_activation the other way round"
    found = [name for name, form in forms.items() if np.allclose(form, activated, atol=CLOSE)]
    if wanted == "none" or wanted in found:
        return ""
    applies = f"applies {' or '.join(found)}" if found else "applies neither sigmoid nor softmax"
    return f"`activation` is {wanted}, and it {applies}"


def _explain_ignored(wanted: Activation, scores: FloatArray) -> str:
    """Of a server that answers the same both ways: what it does shows only in the range of its scores."""
    within = bool(((scores >= 0) & (scores <= 1)).all())
    summing = within and scores.shape[1] > 1 and bool(np.allclose(scores.sum(axis=1), 1, atol=CLOSE))
    if wanted == "none" and (summing or (within and scores.shape[1] == 1)):
        return (
            "it answers the same with and without use_activation, and all within 0 to 1: it seems to apply an "
            "activation whatever is asked (`activation: server` takes its scores as they are)"
        )
    if (wanted == "softmax" and not summing) or (wanted == "sigmoid" and not within):
        return f"`activation` is {wanted}, and it gives raw scores whatever is asked"
    return ""
