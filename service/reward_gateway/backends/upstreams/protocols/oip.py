"""The Open Inference Protocol over HTTP with JSON: Triton, KServe, OpenVINO; tensors are mapped by name."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np

from ..config import Tensors, UpstreamConfig
from ..replica import Replica
from ..rows import Question
from .base import CallContent, RowAnswers, UpstreamProtocol, to_number


class OpenInferenceHttp(UpstreamProtocol):
    """``POST /v2/models/MODEL/infer`` with a BYTES tensor [n, 1] per field, answered by a tensor [n] or [n, K]."""

    def __init__(self, config: UpstreamConfig) -> None:
        super().__init__(config)
        assert config.tensors is not None
        self._tensors: Tensors = config.tensors
        self._path = f"/v2/models/{quote(config.model, safe='')}"

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        inputs = [
            {
                "name": tensor,
                "datatype": "BYTES",
                "shape": [len(questions), 1],
                "data": [question.fields[name] for question in questions],
            }
            for name, tensor in self._tensors.inputs.items()
        ]
        return CallContent(f"{self._path}/infer", {"inputs": inputs, "outputs": [{"name": self._tensors.output}]})

    def read_answer(self, answer: Any, rows: int) -> RowAnswers:
        tensor = next(tensor for tensor in answer["outputs"] if tensor["name"] == self._tensors.output)
        values = np.array([to_number(value) for value in _flatten(tensor["data"])], np.float64)
        return RowAnswers(values.reshape(rows, -1))

    async def read_identity(self, replica: Replica) -> str:
        """The model's versions and platform; a Triton's configuration tells the version of its content, too."""
        told = await replica.get(self._path)
        config = await replica.get(f"{self._path}/config")
        words = (
            [] if not isinstance(told, dict) else [str(told.get("platform", "")), *map(str, told.get("versions", ()))]
        )
        parameters = config.get("parameters") if isinstance(config, dict) else None
        if isinstance(parameters, dict) and isinstance(content := parameters.get("content_version"), dict):
            words.append(str(content.get("string_value", "")))
        return " ".join(words)


def _flatten(data: Any) -> list[Any]:
    if not isinstance(data, list):
        return [data]
    return [value for element in data for value in _flatten(element)]
