"""A scorer in Triton's Python backend: its lifecycle, and its input and output tensors.

``1/model.py`` of a text model is one line: ``TritonPythonModel = served(PreferenceScorer)``. The rows of all requests
of a batch become one call of the scorer, and each request gets the answer to its rows.
"""

import logging
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from reward_models.runtime.instance import Instance
from reward_models.runtime.rows import Answer, Columns, Scorer

log = logging.getLogger("reward_models")


class MakeScorer(Protocol):
    """A factory of scorers: a class whose constructor takes an :class:`Instance`."""

    def __call__(self, instance: Instance, /) -> Scorer: ...


def read_column(tensors: Mapping[str, Any], name: str, rows: int) -> list[bytes]:
    """The values of a tensor [rows, 1], one per row; empty values if the request lacks the tensor."""
    return list(tensors[name].reshape(-1)) if name in tensors else [b""] * rows


def gather_rows(requests: Sequence[Mapping[str, Any]]) -> tuple[Columns, list[int]]:
    """The rows of several requests as one set of columns, and the end of each request in them."""
    sizes = [next(iter(tensors.values())).shape[0] for tensors in requests]
    names = sorted({name for tensors in requests for name in tensors})
    columns: dict[str, list[bytes]] = {name: [] for name in names}
    for tensors, rows in zip(requests, sizes, strict=True):
        for name in names:
            columns[name] += read_column(tensors, name, rows)
    return columns, np.cumsum(sizes).tolist()


def served(make_scorer: MakeScorer) -> type[Any]:
    """The class ``TritonPythonModel`` of a ``model.py``, for a scorer."""
    import triton_python_backend_utils as pb_utils

    def make_error_response(message: str, code: str) -> Any:
        # Triton adds its types to the module only after this module is imported.
        error = pb_utils.TritonError(message, getattr(pb_utils.TritonError, code))
        return pb_utils.InferenceResponse(output_tensors=[], error=error)

    class TritonPythonModel:
        """Triton's interface: ``initialize``, ``execute``, ``finalize``."""

        make = staticmethod(make_scorer)  # for running the model outside of Triton

        def initialize(self, args: Mapping[str, str]) -> None:
            logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[TritonLog()])
            self.scorer = self.make(Instance.from_triton(args))

        def execute(self, requests: Sequence[Any]) -> list[Any]:
            # Requests that were cancelled, or whose deadline has passed, are not scored.
            active = [not request.is_cancelled() for request in requests]
            scored = iter(
                self.score_requests([request for request, keep in zip(requests, active, strict=True) if keep])
            )
            return [next(scored) if keep else make_error_response("It was cancelled.", "CANCELLED") for keep in active]

        def score_requests(self, requests: Sequence[Any]) -> list[Any]:
            if not requests:
                return []
            inputs = [{tensor.name(): tensor.as_numpy() for tensor in request.inputs()} for request in requests]
            columns, ends = gather_rows(inputs)
            try:
                answer = self.scorer.score(columns, ends[-1])
            except Exception as error:  # any failure is reported to the callers, and the next batch is tried
                # The traceback without the message, which may quote a caller's text.
                frames = "".join(traceback.format_tb(error.__traceback__))
                log.error("the model failed with %s at\n%s", type(error).__name__, frames)
                return [make_error_response(f"The model failed: {type(error).__name__}.", "INTERNAL") for _ in requests]
            return [
                self.encode_response(answer.slice_rows(start, end))
                for start, end in zip([0, *ends], ends, strict=False)
            ]

        def encode_response(self, answer: Answer) -> Any:
            rows = len(answer.flags)
            errors = np.array([answer.errors.get(row, "").encode() for row in range(rows)], np.object_)
            tensors = [
                pb_utils.Tensor("score", np.ascontiguousarray(answer.scores, np.float32)),
                pb_utils.Tensor("flags", answer.flags.astype(np.uint32).reshape(rows, 1)),
                pb_utils.Tensor("error", errors.reshape(rows, 1)),
            ]
            if answer.vectors is not None:
                packed = [np.ascontiguousarray(vector, "<f4").tobytes() for vector in answer.vectors]
                tensors.append(pb_utils.Tensor("vector", np.array(packed, np.object_).reshape(rows, 1)))
            return pb_utils.InferenceResponse(output_tensors=tensors)

        def finalize(self) -> None:
            del self.scorer

    class TritonLog(logging.Handler):
        """Writes log records to Triton's log."""

        def emit(self, record: logging.LogRecord) -> None:
            write = pb_utils.Logger.log_error if record.levelno >= logging.ERROR else pb_utils.Logger.log_info
            write(self.format(record))

    return TritonPythonModel
