"""A server of the Open Inference Protocol whose model has tensors of its own, over HTTP with JSON and over gRPC.

It refuses what is not of its model's types and shapes, as Triton, KServe and OpenVINO do.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from starlette.responses import Response
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests.ports import free_port

from .conftest import as_json

NUMPY = {"INT64": "<i8", "INT32": "<i4", "UINT32": "<u4", "UINT8": "u1", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}

Columns = Mapping[str, Any]


class NotTaken(ValueError):
    """The request is not of the model's tensors."""


@dataclass
class OwnTensors(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """One model ``rm``.

    Attributes:
        inputs, outputs: tensors by name: type and shape, -1 for any length.
        compute: the model: inputs [n, k] to outputs.
        most_rows: maximum rows of a call; Triton tells it in the configuration.
    """

    inputs: Mapping[str, tuple[str, tuple[int, ...]]]
    outputs: Mapping[str, tuple[str, tuple[int, ...]]]
    compute: Callable[[Columns], Columns]
    most_rows: int = 64
    rows: list[int] = field(default_factory=list)
    _server: Any = None

    # Over gRPC

    async def start(self, certificate: Any = None) -> str:
        """Begin to answer over gRPC, with TLS if there is a certificate; the address."""
        url = f"127.0.0.1:{free_port()}"
        self._server = grpc.aio.server()
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        if certificate is None:
            self._server.add_insecure_port(url)
        else:
            chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
            credentials = grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain)])
            self._server.add_secure_port(url, credentials)
        await self._server.start()
        return f"grpc://{url}"

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)

    async def ModelMetadata(self, request: Any, context: Any) -> Any:
        answer = service_pb2.ModelMetadataResponse(name="rm", versions=["1"], platform="own")
        for entries, tensors in ((answer.inputs, self.inputs), (answer.outputs, self.outputs)):
            for name, (datatype, shape) in tensors.items():
                entries.add(name=name, datatype=datatype, shape=shape)
        return answer

    async def ModelConfig(self, request: Any, context: Any) -> Any:
        answer = service_pb2.ModelConfigResponse()
        answer.config.max_batch_size = self.most_rows
        return answer

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        try:
            columns = {}
            for k, tensor in enumerate(request.inputs):
                values: Any = list(tensor.contents.bytes_contents)
                if request.raw_input_contents:
                    values = decode(tensor.datatype, request.raw_input_contents[k])
                columns[tensor.name] = self.take(tensor.name, tensor.datatype, list(tensor.shape), values)
            found = self.answer(columns)
        except NotTaken as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        answer = service_pb2.ModelInferResponse(model_name="rm", model_version="1")
        for output in request.outputs:
            datatype, _ = self.outputs[output.name]
            answer.outputs.add(name=output.name, datatype=datatype, shape=found[output.name].shape)
            answer.raw_output_contents.append(encode(datatype, found[output.name]))
        return answer

    # Over HTTP

    def over_http(self, path: str, body: dict[str, Any]) -> Response | None:
        """What :class:`FakeServer` answers with this as its fault."""
        if path == "/v2/models/rm":
            tensors = {"inputs": _describe(self.inputs), "outputs": _describe(self.outputs)}
            return as_json({"name": "rm", "versions": ["1"], "platform": "own", **tensors})
        if path == "/v2/models/rm/config":
            return as_json({"name": "rm", "max_batch_size": self.most_rows})
        if path != "/v2/models/rm/infer":
            return as_json({"error": "unknown"}, 404)
        try:
            columns = {
                tensor["name"]: self.take(tensor["name"], tensor["datatype"], tensor["shape"], tensor["data"])
                for tensor in body["inputs"]
            }
            found = self.answer(columns)
        except NotTaken as error:
            return as_json({"error": str(error)}, 400)
        outputs = [
            tensor | {"shape": list(found[tensor["name"]].shape), "data": found[tensor["name"]].reshape(-1).tolist()}
            for tensor in _describe(self.outputs)
        ]
        return as_json({"model_name": "rm", "model_version": "1", "outputs": outputs})

    # Its model

    def take(self, name: str, datatype: str, shape: list[int], values: Any) -> Any:
        wanted, form = self.inputs[name]
        if datatype != wanted:
            raise NotTaken(f"inference input '{name}' data-type is '{datatype}', model expects '{wanted}'")
        if len(shape) != len(form) or any(k not in (-1, n) for k, n in zip(form[1:], shape[1:], strict=True)):
            raise NotTaken(f"unexpected shape for input '{name}': {json.dumps(shape)}")
        texts = [value.decode() if isinstance(value, bytes) else value for value in values]
        array = np.array(texts, object if datatype == "BYTES" else NUMPY[datatype])
        if array.size != np.prod(shape):
            raise NotTaken(f"'{name}' has {array.size} values for the shape {json.dumps(shape)}")
        return array.reshape(shape)

    def answer(self, columns: Columns) -> Columns:
        if columns.keys() != self.inputs.keys():
            raise NotTaken(f"expected {len(self.inputs)} inputs, got {len(columns)}")
        n = len(next(iter(columns.values())))
        if n > self.most_rows:
            raise NotTaken(f"inference request batch-size must be <= {self.most_rows}")
        self.rows.append(n)
        return self.compute(columns)


def _describe(tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> list[dict[str, Any]]:
    return [{"name": name, "datatype": datatype, "shape": list(shape)} for name, (datatype, shape) in tensors.items()]


def decode(datatype: str, data: bytes) -> list[Any]:
    """The values of raw contents."""
    if datatype != "BYTES":
        return list(np.frombuffer(data, NUMPY[datatype]))
    texts, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        texts.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return texts


def encode(datatype: str, values: Any) -> bytes:
    """Values as raw contents."""
    if datatype == "BF16":
        return bytes((values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes())
    if datatype == "BOOL":
        return bytes(values.astype("?").tobytes())
    return bytes(values.astype(NUMPY[datatype]).tobytes())
