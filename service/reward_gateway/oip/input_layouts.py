"""What a request's inputs mean: which samples they are, and which outputs answer them. One form a kind of client.

A form is known by the names of the inputs, on every model that is a recipe:

* the fields of a sample (``prompt``, ``response``, ``reference`` …), a response, images or frames among them; answered
  by ``reward`` and ``valid``;
* ``sentences``, or ``tokens`` with ``sequence_lengths`` (NeMo-Aligner): answered by ``rewards`` and ``exceeded``;
* ``input_ids`` (trlX): answered by ``rewards`` as FP16.

The last two have no place for a failure beside the number: there a sample without a reward fails its request.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reward_gateway.errors import InvalidRequest, Unscorable
from reward_gateway.sample import Scored
from reward_gateway.sample.fields import FIELDS

from . import tensor_decoding
from .tensor_decoding import Inputs
from .tokens import Detokeniser


@dataclass(frozen=True, slots=True)
class Output:
    """A tensor of an answer: its datatype, and its elements [n, 1] made from the scores."""

    datatype: str
    make: Callable[[Scored], NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class InputLayout:
    """One kind of request.

    Attributes:
        needs, takes: inputs that must be there, and those that may.
        fails: a sample without a reward fails the request.
        read: makes the samples. Raises InvalidRequest.
    """

    needs: frozenset[str]
    takes: frozenset[str]
    outputs: dict[str, Output]
    fails: bool
    read: Callable[[Inputs, Detokeniser | None], Awaitable["tensor_decoding.Reading"]]


def layout_of(inputs: Inputs) -> InputLayout:
    """The form that has these inputs. Raises InvalidRequest."""
    given = frozenset(inputs)
    for form in FORMS:
        if form.needs <= given <= form.needs | form.takes:
            return form
    known = "; ".join(sorted(", ".join(sorted(form.needs)) for form in FORMS))
    unknown = given - frozenset().union(*(form.needs | form.takes for form in FORMS))
    place = inputs[min(unknown)].where + ".name" if unknown else "inputs"
    raise InvalidRequest(
        f"{place}: a recipe takes the inputs of one kind of request; needed are: {known}; "
        f"beside {', '.join(_SCORED)} also {', '.join(name for name in _TENSORS if name not in _SCORED)}",
        param=place,
    )


def scored_rows(scored: Scored) -> NDArray[np.bool_]:
    """The rows that have a reward which an FP32 tensor can hold."""
    valid: NDArray[np.bool_] = np.isfinite(_cast(scored, "<f4"))
    if scored.invalid:
        valid[list(scored.invalid)] = False
    return valid


def _cast(scored: Scored, dtype: str) -> NDArray[np.floating]:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(scored.reward, np.float64).astype(dtype)


def _reward(scored: Scored) -> NDArray[np.generic]:
    values = _cast(scored, "<f4")
    values[~np.isfinite(values)] = 0.0  # ``valid`` says that it is no reward
    return values


def _rewards(dtype: str) -> Callable[[Scored], NDArray[np.generic]]:
    def make(scored: Scored) -> NDArray[np.generic]:
        values = _cast(scored, dtype)
        strange = np.flatnonzero(~np.isfinite(values))
        if len(strange):
            param = f"samples[{strange[0]}]"
            raise Unscorable(f"{param}: the reward is no number that this client's tensor can hold", param=param)
        return values

    return make


def _exceeded(scored: Scored) -> NDArray[np.generic]:
    """The samples of which a model read only a part."""
    return np.array(["truncated" in scored.flags.get(i, ()) for i in range(len(scored.reward))], np.bool_)


_NEMO = {"rewards": Output("FP32", _rewards("<f4")), "exceeded": Output("BOOL", _exceeded)}

_TENSORS = tuple(field.name for field in FIELDS if field.tensor)
_SCORED = tuple(field.name for field in FIELDS if field.scored)

SAMPLES = tuple(
    InputLayout(
        frozenset({scored}),
        frozenset(_TENSORS),
        {"reward": Output("FP32", _reward), "valid": Output("BOOL", scored_rows)},
        fails=False,
        read=tensor_decoding.samples,
    )
    for scored in _SCORED
)

FORMS = (
    *SAMPLES,
    InputLayout(frozenset({"sentences"}), frozenset(), _NEMO, fails=True, read=tensor_decoding.sentences),
    InputLayout(frozenset({"tokens", "sequence_lengths"}), frozenset(), _NEMO, fails=True, read=tensor_decoding.tokens),
    InputLayout(
        frozenset({"input_ids"}),
        frozenset(),
        {"rewards": Output("FP16", _rewards("<f2"))},
        fails=True,
        read=tensor_decoding.input_ids,
    ),
)
