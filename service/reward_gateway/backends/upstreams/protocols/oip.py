"""The Open Inference Protocol, over HTTP with JSON or over gRPC: Triton, KServe, OpenVINO; tensors mapped by name."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
from tritonclient.grpc import service_pb2

from reward_gateway.sample import FloatArray

from ..config import Tensors, UpstreamConfig
from ..failures import Refused
from ..replica import LOOK_S, Replica
from ..rows import Question
from .base import CallContent, RowAnswers, UpstreamProtocol, to_number

_TYPES = {"BOOL": "?", "UINT8": "u1", "FP64": "<f8", "FP32": "<f4", "FP16": "<f2", "INT64": "<i8", "INT32": "<i4"}


class OpenInference(UpstreamProtocol):
    """``ModelInfer`` with a BYTES tensor per field, answered by a tensor [n] or [n, K].

    The tensors are [n, 1], as Triton's batching has them, or [n] where the model's metadata says so.
    """

    def __init__(self, config: UpstreamConfig) -> None:
        super().__init__(config)
        assert config.tensors is not None
        self._tensors: Tensors = config.tensors
        self._path = f"/v2/models/{quote(config.model, safe='')}"
        self._flat: frozenset[str] = frozenset()

    @property
    def _outputs(self) -> list[str]:
        return [name for name in (self._tensors.output, self._tensors.valid) if name is not None]

    def _shape(self, tensor: str, rows: int) -> list[int]:
        return [rows] if tensor in self._flat else [rows, 1]

    # HTTP

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        inputs = [
            {
                "name": tensor,
                "datatype": "BYTES",
                "shape": self._shape(tensor, len(questions)),
                "data": [question.fields[name] for question in questions],
            }
            for name, tensor in self._tensors.inputs.items()
        ]
        outputs = [{"name": name} for name in self._outputs]
        return CallContent(f"{self._path}/infer", {"inputs": inputs, "outputs": outputs})

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        read = self._read_message if isinstance(answer, service_pb2.ModelInferResponse) else _read_json
        values = read(answer, self._tensors.output).reshape(len(questions), -1)
        if self._tensors.valid is not None:
            values[read(answer, self._tensors.valid).reshape(len(questions)) == 0] = np.nan
        return RowAnswers(values)

    async def read_identity(self, replica: Replica) -> str:
        """The model's versions and platform; a Triton's configuration tells the version of its content, too."""
        if replica.grpc is not None:
            return await self._read_message_identity(replica)
        metadata = await replica.get(self._path)
        config = await replica.get(f"{self._path}/config")
        if not isinstance(metadata, dict):
            return ""
        self._note_shapes((entry["name"], entry["shape"]) for entry in metadata.get("inputs", ()))
        words = [str(metadata.get("platform", "")), *map(str, metadata.get("versions") or ())]
        parameters = config.get("parameters") if isinstance(config, dict) else None
        if isinstance(parameters, dict) and isinstance(content := parameters.get("content_version"), dict):
            words.append(str(content.get("string_value", "")))
        return " ".join(words)

    def _note_shapes(self, inputs: Iterable[tuple[str, Sequence[Any]]]) -> None:
        self._flat = frozenset(name for name, shape in inputs if len(shape) == 1)

    # gRPC

    async def ask(self, replica: Replica, questions: Sequence[Question], timeout_s: float) -> RowAnswers:
        if replica.grpc is None:
            return await super().ask(replica, questions, timeout_s)
        request = service_pb2.ModelInferRequest(model_name=self.config.model)
        for name, tensor in self._tensors.inputs.items():
            entry = request.inputs.add(name=tensor, datatype="BYTES", shape=self._shape(tensor, len(questions)))
            entry.contents.bytes_contents.extend(question.fields[name].encode() for question in questions)
        for output in self._outputs:
            request.outputs.add(name=output)
        answer = await replica.grpc.call(replica.name, "ModelInfer", request, timeout_s)
        return self.check_answer(replica.name, answer, questions)

    def _read_message(self, answer: "service_pb2.ModelInferResponse", name: str) -> FloatArray:
        names = [tensor.name for tensor in answer.outputs]
        if name not in names:
            raise ValueError(f"it has no tensor {name}")
        place = names.index(name)
        tensor = answer.outputs[place]
        if answer.raw_output_contents:
            if tensor.datatype not in _TYPES:
                raise ValueError(f"its tensor {tensor.name} is of the type {tensor.datatype}")
            return np.frombuffer(answer.raw_output_contents[place], _TYPES[tensor.datatype]).astype(np.float64)
        contents = tensor.contents
        values = (
            contents.fp32_contents
            or contents.fp64_contents
            or contents.int64_contents
            or contents.int_contents
            or contents.bool_contents
        )
        return np.array(values, np.float64)

    async def _read_message_identity(self, replica: Replica) -> str:
        assert replica.grpc is not None
        request = service_pb2.ModelMetadataRequest(name=self.config.model)
        try:
            metadata = await replica.grpc.call(replica.name, "ModelMetadata", request, LOOK_S)
        except Refused:
            return ""
        self._note_shapes((entry.name, entry.shape) for entry in metadata.inputs)
        words = [metadata.platform, *metadata.versions]
        try:
            request = service_pb2.ModelConfigRequest(name=self.config.model)
            config = (await replica.grpc.call(replica.name, "ModelConfig", request, LOOK_S)).config
            words.append(config.parameters["content_version"].string_value)
        except Refused:
            pass  # an extension that not every server has
        return " ".join(filter(None, words))


def _read_json(answer: Any, name: str) -> FloatArray:
    """The numbers of a tensor of an answer in JSON; true and false are 1 and 0."""
    tensor = next((tensor for tensor in answer["outputs"] if tensor["name"] == name), None)
    if tensor is None:
        raise ValueError(f"it has no tensor {name}")
    values = _flatten(tensor["data"])
    if tensor.get("datatype") == "BOOL":
        values = [int(value) for value in values]
    return np.array([to_number(value) for value in values], np.float64)


def _flatten(data: Any) -> list[Any]:
    if not isinstance(data, list):
        return [data]
    return [value for element in data for value in _flatten(element)]
