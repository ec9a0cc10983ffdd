"""Open Inference Protocol v2 under ``/v2``: every recipe is a model; Triton's models keep their own names."""

from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from tritonclient.grpc import service_pb2 as pb

from reward_gateway.admin.models import ModelAdmin
from reward_gateway.errors import InvalidRequest, ModelUnavailable
from reward_gateway.intake.decode import decode
from reward_gateway.intake.decoding_cost import TYPED
from reward_gateway.oip.protocol import OpenInference, read_timeout_s
from reward_gateway.traffic.keys import require_right

from ..call import call_of
from ..client_profiles import ClientProfile, register, register_below
from ..dependencies import deadline_of, dependencies_of, json_response, read_bytes
from ..oip.errors import ERROR_FORMAT
from ..oip.request import InferRequest, parse_infer_request, serialize_infer_request
from ..oip.response import LENGTH, infer_response, message_to_dict
from ..openapi import IDEMPOTENCY_KEY, RUN, describe, parameter
from ..routing import raw_router
from .dialect import CHAT_FORMAT

router = raw_router("open inference protocol")


for _path in ("/v2", "/v2/health/ready"):
    register(_path, ClientProfile(ERROR_FORMAT))
for _prefix in ("/v2/models/", "/v2/repository/"):
    register_below(_prefix, ClientProfile(ERROR_FORMAT))


class ServerInfo(msgspec.Struct):
    """The server's name and version."""

    name: str
    version: str
    extensions: list[str]


class TensorInfo(msgspec.Struct):
    """An input or output; -1 means any length."""

    name: str
    datatype: str
    shape: list[int]


class ModelInfo(msgspec.Struct):
    """A model's tensors, batch dimension included."""

    name: str
    platform: str
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    versions: list[str] = []


class ModelReady(msgspec.Struct):
    """A model that is ready."""

    name: str
    ready: bool


class IndexRow(msgspec.Struct):
    """One version of a recipe or model."""

    name: str
    version: str = ""
    state: str = ""
    reason: str = ""


class LoadedModel(msgspec.Struct):
    """The version of a model that is served now, and all its versions."""

    name: str
    version: str
    versions: list[str]


class UnloadedModel(msgspec.Struct):
    """A model that is no longer served."""

    name: str


class OutputTensor(msgspec.Struct):
    """One output: elements in row-major order, or the size of its binary data after the JSON (``binary_data_size``)."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | msgspec.UnsetType = msgspec.UNSET
    parameters: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class InferAnswer(msgspec.Struct):
    """The output tensors of a request."""

    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str | msgspec.UnsetType = msgspec.UNSET
    parameters: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


_MODEL = parameter("model", "path", "A recipe, `reward_model` (the default recipe), or a model of the model server.")
_VERSION = parameter("version", "path", "Version; a recipe has version 1.")
_EXAMPLE = {
    "inputs": [
        {"name": "prompt", "shape": [1, 1], "datatype": "BYTES", "data": ["How do I boil an egg?"]},
        {"name": "response", "shape": [1, 1], "datatype": "BYTES", "data": ["In boiling water for 8 minutes."]},
    ]
}


def _describe_route(summary: str, *parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return describe(summary, parameters=parameters, error_formats=(ERROR_FORMAT,), **more)


def protocol_of(request: Request) -> OpenInference:
    """The protocol of this process."""
    protocol: OpenInference = request.app.state.open_inference
    return protocol


def _model_of(request: Request) -> tuple[str, str]:
    return request.path_params["model"], request.path_params.get("version", "")


@router.get("/v2", **_describe_route("Show the server", answer=ServerInfo))
async def server(request: Request) -> Response:
    """Name, version and the supported extensions of the protocol."""
    return json_response(message_to_dict(protocol_of(request).server_metadata()))


@router.get("/v2/models/{model}", **_describe_route("A model's tensors", _MODEL, answer=ModelInfo))
@router.get(
    "/v2/models/{model}/versions/{version}",
    **_describe_route("A version's tensors", _MODEL, _VERSION, answer=ModelInfo),
)
async def metadata(request: Request) -> Response:
    """Names, datatypes and shapes of the inputs and outputs, batch dimension included."""
    return json_response(message_to_dict(await protocol_of(request).model_metadata(*_model_of(request))))


@router.get("/v2/models/{model}/config", **_describe_route("A model's configuration", _MODEL))
@router.get(
    "/v2/models/{model}/versions/{version}/config", **_describe_route("A version's configuration", _MODEL, _VERSION)
)
async def config(request: Request) -> Response:
    """Triton's model configuration: maximum batch size, tensors without batch dimension, one response per request."""
    return json_response(message_to_dict((await protocol_of(request).model_config(*_model_of(request))).config))


@router.get("/v2/models/{model}/ready", **_describe_route("Is a model ready?", _MODEL, answer=ModelReady))
@router.get(
    "/v2/models/{model}/versions/{version}/ready",
    **_describe_route("Is a version ready?", _MODEL, _VERSION, answer=ModelReady),
)
async def ready(request: Request) -> Response:
    """200 if it is; 503 if a model that it needs is not ready."""
    name, version = _model_of(request)
    if not await protocol_of(request).is_ready(name, version, call_of(request.scope).recipe):
        raise ModelUnavailable("the model is not ready")
    return json_response({"name": name, "ready": True})


@router.get("/v2/models/stats", **_describe_route("Statistics of every model"))
@router.get("/v2/models/{model}/stats", **_describe_route("Statistics of a model", _MODEL))
@router.get(
    "/v2/models/{model}/versions/{version}/stats", **_describe_route("Statistics of a version", _MODEL, _VERSION)
)
async def statistics(request: Request) -> Response:
    """Counts and times; those of recipes are of this process since its start."""
    model = _model_of(request) if "model" in request.path_params else ("", "")
    return json_response(message_to_dict(await protocol_of(request).model_statistics(*model)))


class IndexRequest(msgspec.Struct):
    """``{"ready": true}`` lists the models that are ready."""

    ready: bool = False


_index_request = msgspec.json.Decoder(IndexRequest)


@router.post(
    "/v2/repository/index",
    **_describe_route("List recipes and models", answer=list[IndexRow], body=IndexRequest, example={"ready": True}),
)
async def index(request: Request) -> Response:
    """Recipes, as models, and the models of the model server. An empty body lists all."""
    body = await read_bytes(request)
    index_request = (
        decode(_index_request, body, dependencies_of(request).settings.max_nesting) if body else IndexRequest()
    )
    return json_response(
        [message_to_dict(row) for row in (await protocol_of(request).repository_index(index_request.ready)).models]
    )


class ControlRequest(msgspec.Struct):
    """Triton's parameters. A configuration or files to replace the repository's are not accepted."""

    parameters: dict[str, Any] = {}


_control_request = msgspec.json.Decoder(ControlRequest)


async def _read_control(request: Request) -> tuple[ModelAdmin, str]:
    """Check the right and the parameters. Raises PermissionDenied or InvalidRequest."""
    require_right(call_of(request.scope).key, "admin")
    body = await read_bytes(request)
    control = (
        decode(_control_request, body, dependencies_of(request).settings.max_nesting) if body else ControlRequest()
    )
    if unknown := sorted(set(control.parameters) - {"unload_dependents"}):
        raise InvalidRequest(f"parameters.{unknown[0]} is not accepted: models are loaded as the repository has them")
    return dependencies_of(request).model_admin, request.path_params["model"]


@router.post(
    "/v2/repository/models/{model}/load",
    **_describe_route("Load a model", _MODEL, right="admin", answer=LoadedModel, body=ControlRequest),
)
async def load(request: Request) -> Response:
    """Load it, or reload it if its folder changed; the version before answers until the new one is ready.
    `NAME@VERSION` serves a withdrawn version again. Needs the right `admin`."""
    model_admin, name = await _read_control(request)
    info = await model_admin.load(name)
    return json_response({"name": info.name, "version": info.version, "versions": list(info.versions)})


@router.post(
    "/v2/repository/models/{model}/unload",
    **_describe_route("Unload a model", _MODEL, right="admin", answer=UnloadedModel, body=ControlRequest),
)
async def unload(request: Request) -> Response:
    """Stop serving it; `NAME@VERSION` withdraws one version. Requests in progress are answered. Needs the right
    `admin`."""
    model_admin, name = await _read_control(request)
    await model_admin.unload(name)
    return json_response({"name": name})


_BINARY = ("application/octet-stream",)
_INFER = {"body": InferRequest, "answer": InferAnswer, "example": _EXAMPLE, "more_answer_types": _BINARY}


@router.post(
    "/v2/models/{model}/infer",
    **_describe_route("Score by tensors", _MODEL, CHAT_FORMAT, IDEMPOTENCY_KEY, RUN, **_INFER),
)
@router.post(
    "/v2/models/{model}/versions/{version}/infer",
    **_describe_route("Score by tensors", _MODEL, _VERSION, CHAT_FORMAT, IDEMPOTENCY_KEY, RUN, **_INFER),
)
async def infer(request: Request) -> Response:
    """Recipes take `prompt`, `response`, `reference` and `group` (BYTES [n, 1]) and give `reward` and `valid`.

    A row without a reward has `valid` false and `reward` 0. NeMo-Aligner's and trlX's tensors are accepted too; they
    are answered with `rewards`, and a sample without a reward fails the request. Their texts are whole conversations,
    which are read back into messages if a chat template rendered them. So are `prompt` and `response` where the request
    says that they are rendered, by the parameter or the query `chat_format` (`auto`, `recipe`, or a format's name).
    """
    name, version = _model_of(request)
    body = await read_bytes(request)
    deps, length = dependencies_of(request), request.headers.get(LENGTH)
    if TYPED.exceeds_limit(body):
        read = partial(serialize_infer_request, length, name, version, deps.settings.max_nesting)
        message, binary_outputs = await deps.intake.read(read, body, deadline_of(request), takes_long=True)
        infer_request = pb.ModelInferRequest.FromString(message)
    else:
        infer_request, binary_outputs = parse_infer_request(body, length, name, version, deps.settings.max_nesting)
    deadline = deadline_of(request, read_timeout_s(infer_request))
    call = call_of(request.scope)
    answer = await protocol_of(request).infer(
        infer_request, deadline, call.recipe, call.scope, chat_format=call.chat_format
    )
    return infer_response(answer, binary_outputs)
