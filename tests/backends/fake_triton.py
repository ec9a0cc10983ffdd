"""A Triton of several models, whose scores a test knows, and which a test stops, holds and reloads."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

from tests.ports import free_port


@dataclass
class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Models by name, each with the number that it adds to the length of a response.

    Attributes:
        versions: Triton's version of a model, where it is not 1.
        error: what the output ``error`` says of responses, by the response.
        hangs: nothing is answered.
        asked: names of the models of infer calls.
        looked_up: how often the index was asked for.
    """

    models: dict[str, float]
    versions: dict[str, str] = field(default_factory=dict)
    error: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    asked: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    looked_up: int = 0
    port: int = 0
    _server: Any = None

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.port = self.port or free_port()
        self._server = grpc.aio.server()
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        assert self._server.add_insecure_port(self.url)
        await self._server.start()

    async def stop(self) -> None:
        self.hangs = False
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(None)

    def version(self, name: str) -> str:
        return self.versions.get(name, "1")

    async def _answer(self) -> None:
        while self.hangs:
            await asyncio.sleep(0.01)

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:
        self.looked_up += 1
        await self._answer()
        answer = service_pb2.RepositoryIndexResponse()
        for name in self.models:
            answer.models.add(name=name, version=self.version(name), state="READY")
        return answer

    async def ModelConfig(self, request: Any, context: Any) -> Any:
        await self._answer()
        config = model_config_pb2.ModelConfig(name=request.name, max_batch_size=64)
        for name in ("prompt", "response"):
            config.input.add(name=name, data_type=model_config_pb2.TYPE_STRING, dims=[1])
        config.output.add(name="score", data_type=model_config_pb2.TYPE_FP32, dims=[1])
        config.output.add(name="error", data_type=model_config_pb2.TYPE_STRING, dims=[1])
        return service_pb2.ModelConfigResponse(config=config)

    async def ModelReady(self, request: Any, context: Any) -> Any:
        return service_pb2.ModelReadyResponse(ready=request.name in self.models)

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        await self._answer()
        if request.model_name not in self.models:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"unknown model: '{request.model_name}' is not found")
        self.asked.append(request.model_name)
        at = [tensor.name for tensor in request.inputs].index("response")
        responses = [text.decode() for text in unframe(request.raw_input_contents[at])]
        self.rows.append(len(responses))
        scores = np.array([len(text) + self.models[request.model_name] for text in responses], "<f4")
        errors = [self.error.get(text, "").encode() for text in responses]
        answer = service_pb2.ModelInferResponse(
            model_name=request.model_name, model_version=self.version(request.model_name)
        )
        outputs = {
            "score": ("FP32", scores.tobytes()),
            "error": ("BYTES", b"".join(len(text).to_bytes(4, "little") + text for text in errors)),
        }
        for name in [output.name for output in request.outputs] or list(outputs):
            kind, data = outputs[name]
            answer.outputs.add(name=name, datatype=kind, shape=[len(responses), 1])
            answer.raw_output_contents.append(data)
        return answer


def unframe(data: bytes) -> list[bytes]:
    """The texts of a BYTES tensor."""
    texts, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        texts.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return texts
