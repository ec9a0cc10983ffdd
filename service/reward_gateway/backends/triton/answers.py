"""Decodes the answer to an infer call."""

import numpy as np
from tritonclient.grpc import service_pb2

from reward_gateway.backends.coalescer import CallAnswer
from reward_gateway.backends.triton.failures import row_failure
from reward_gateway.backends.triton.model_config import TritonModel, version_of
from reward_gateway.backends.triton.tensors import unframe_values
from reward_gateway.sample import Invalid, all_finite

NOT_FINITE = Invalid("not_finite", "The model's score is not a finite number.")


def read_answer(model: TritonModel, answer: "service_pb2.ModelInferResponse", rows: int) -> CallAnswer:
    """Decode an answer. Its version is Triton's number, with the content version of the model that was looked up.

    Raises:
        ValueError, KeyError: it does not match the model's configuration.
    """
    raw = {tensor.name: data for tensor, data in zip(answer.outputs, answer.raw_output_contents, strict=True)}
    values = np.frombuffer(raw["score"], "<f4").reshape(rows, model.width).astype(np.float64)
    call_answer = CallAnswer(values, version_of(answer.model_version, model.content_version))
    if not all_finite(values.ravel()):
        not_finite_rows = ~np.isfinite(values).all(axis=1)
        values[not_finite_rows] = np.nan
        call_answer.invalid = dict.fromkeys(np.flatnonzero(not_finite_rows).tolist(), NOT_FINITE)
    if len(raw.get("error", b"")) > 4 * rows:  # otherwise all error strings are empty
        for row, words in enumerate(unframe_values(raw["error"], rows)):
            if words:
                values[row] = np.nan
                call_answer.invalid[row] = row_failure(words.decode("utf-8", "replace"))
    if "vector" in raw:
        vectors = enumerate(unframe_values(raw["vector"], rows))
        call_answer.vectors = {row: vector for row, vector in vectors if row not in call_answer.invalid}
    if "flags" in raw:
        bits = np.frombuffer(raw["flags"], "<u4").reshape(rows)
        call_answer.flags = {row: model.info.flag_names(int(bits[row])) for row in np.flatnonzero(bits).tolist()}
    return call_answer
