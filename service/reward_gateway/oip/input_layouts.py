"""Input layouts: which samples a request's input tensors hold, and which output tensors it returns.

There is one layout per kind of client. Every recipe accepts all of them; the names of the inputs select the layout:

* the fields of a sample (``prompt``, ``response``, ``reference`` …), with at least a response, images or frames;
  beside them any ``metadata.KEY``, by which recipes choose;
  answered by ``reward`` and ``valid``, and by ``reward_raw`` where the recipe compares samples;
* ``sentences``, or ``tokens`` with ``sequence_lengths`` (NeMo-Aligner): answered by ``rewards`` and ``exceeded``;
* ``input_ids`` (trlX): answered by ``rewards`` as FP16.

The last two cannot report an error per sample, so a sample without a reward fails its whole request.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_gateway.errors import InvalidRequest, Unscorable
from reward_gateway.sample import FloatArray, Scored
from reward_gateway.sample.fields import FIELDS, OF_METADATA

from . import tensor_decoding
from .tensor_decoding import Inputs
from .tokens import Detokeniser


@dataclass(frozen=True, slots=True)
class Output:
    """An output tensor: its datatype, and a function that makes its elements [n, 1] from the scores.

    ``grouped``: only recipes that compare samples have it.
    """

    datatype: str
    make: Callable[[Scored], NDArray[np.generic]]
    grouped: bool = False


@dataclass(frozen=True, slots=True)
class InputLayout:
    """One kind of request.

    Attributes:
        needs, takes: required and optional inputs.
        fails: True if a sample without a reward fails the request.
        needs_tokenizer: True if the inputs are token ids.
        whole_texts: each text is a whole conversation, prompt and response.
        read: decodes the inputs into columns of samples. Raises InvalidRequest.
    """

    needs: frozenset[str]
    takes: frozenset[str]
    outputs: dict[str, Output]
    fails: bool
    read: Callable[[Inputs, Detokeniser | None], Coroutine[Any, Any, "tensor_decoding.Reading"]]
    needs_tokenizer: bool = False
    whole_texts: bool = False

    def outputs_of(self, *, grouped: bool) -> dict[str, Output]:
        """The outputs of a recipe, which compares samples or does not."""
        return {name: output for name, output in self.outputs.items() if grouped or not output.grouped}


def find_layout(inputs: Inputs) -> InputLayout:
    """The layout with these inputs. Raises InvalidRequest if there is none."""
    given = frozenset(KEYS if name.startswith(OF_METADATA) else name for name in inputs)
    for layout in LAYOUTS:
        if layout.needs <= given <= layout.needs | layout.takes:
            return layout
    known = "; ".join(sorted(", ".join(sorted(layout.needs)) for layout in LAYOUTS))
    unknown = given - frozenset().union(*(layout.needs | layout.takes for layout in LAYOUTS))
    place = inputs[min(unknown)].where + ".name" if unknown else "inputs"
    raise InvalidRequest(
        f"{place}: the inputs match no layout of a recipe; required inputs, by layout: {known}; "
        f"with {', '.join(_SCORED)} also {', '.join(name for name in _TENSORS if name not in _SCORED)}",
        param=place,
    )


def find_valid_rows(scored: Scored) -> NDArray[np.bool_]:
    """Boolean mask [n] of the rows whose rewards are finite as FP32."""
    raw = scored.reward_raw
    if not scored.invalid and _are_few_that_fit(scored.reward) and (raw is None or _are_few_that_fit(raw)):
        return np.ones(len(scored.reward), np.bool_)
    valid: NDArray[np.bool_] = np.isfinite(_cast_rewards(scored.reward, "<f4"))
    if raw is not None:
        valid &= np.isfinite(_cast_rewards(raw, "<f4"))
    if scored.invalid:
        valid[list(scored.invalid)] = False
    return valid


_FEW, _FITS = 64, 60_000.0
"""A number of rewards that is looked at one by one, and what every datatype of rewards can hold."""


def _cast_rewards(rewards: FloatArray, dtype: str) -> NDArray[np.floating]:
    """Rewards in a narrower datatype; what does not fit there is infinite."""
    if _are_few_that_fit(rewards):
        return rewards.astype(dtype)  # nothing to warn of, and keeping numpy from that takes longer than all else
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(rewards, np.float64).astype(dtype)


def _are_few_that_fit(rewards: FloatArray) -> bool:
    """Whether rewards are few enough to be looked at one by one, and every datatype holds them."""
    return len(rewards) <= _FEW and all(-_FITS < reward < _FITS for reward in rewards.tolist())


def _reward_or_zero(scored: Scored) -> NDArray[np.generic]:
    return _finite_or_zero(scored.reward)


def _raw_reward_or_zero(scored: Scored) -> NDArray[np.generic]:
    return _finite_or_zero(scored.reward if scored.reward_raw is None else scored.reward_raw)


def _finite_or_zero(rewards: FloatArray) -> NDArray[np.generic]:
    if _are_few_that_fit(rewards):
        return rewards.astype("<f4")
    values = _cast_rewards(rewards, "<f4")
    values[~np.isfinite(values)] = 0.0  # ``valid`` is False for these rows
    return values


def _finite_rewards_as(dtype: str) -> Callable[[Scored], NDArray[np.generic]]:
    def make(scored: Scored) -> NDArray[np.generic]:
        values = _cast_rewards(scored.answered, dtype)
        not_finite = np.flatnonzero(~np.isfinite(values))
        if len(not_finite):
            param = f"samples[{not_finite[0]}]"
            raise Unscorable(f"{param}: the reward is not finite in this output's datatype", param=param)
        return values

    return make


def _find_truncated(scored: Scored) -> NDArray[np.generic]:
    """Boolean mask of the samples that a model truncated."""
    return np.array(["truncated" in scored.flags.get(i, ()) for i in range(len(scored.reward))], np.bool_)


_NEMO = {"rewards": Output("FP32", _finite_rewards_as("<f4")), "exceeded": Output("BOOL", _find_truncated)}

KEYS = f"{OF_METADATA}KEY"
"""Stands for the keys of metadata, each an input of its own."""

_TENSORS = tuple(field.name for field in FIELDS if field.tensor)
_SCORED = tuple(field.name for field in FIELDS if field.scored)

SAMPLES = tuple(
    InputLayout(
        frozenset({scored}),
        frozenset((*_TENSORS, KEYS)),
        {
            "reward": Output("FP32", _reward_or_zero),
            "valid": Output("BOOL", find_valid_rows),
            "reward_raw": Output("FP32", _raw_reward_or_zero, grouped=True),
        },
        fails=False,
        read=tensor_decoding.decode_samples,
    )
    for scored in _SCORED
)

LAYOUTS = (
    *SAMPLES,
    InputLayout(
        frozenset({"sentences"}),
        frozenset(),
        _NEMO,
        fails=True,
        read=tensor_decoding.decode_sentences,
        whole_texts=True,
    ),
    InputLayout(
        frozenset({"tokens", "sequence_lengths"}),
        frozenset(),
        _NEMO,
        fails=True,
        read=tensor_decoding.decode_tokens,
        needs_tokenizer=True,
        whole_texts=True,
    ),
    InputLayout(
        frozenset({"input_ids"}),
        frozenset(),
        {"rewards": Output("FP16", _finite_rewards_as("<f2"))},
        fails=True,
        read=tensor_decoding.decode_input_ids,
        needs_tokenizer=True,
        whole_texts=True,
    ),
)
