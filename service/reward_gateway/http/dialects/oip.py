"""Open Inference Protocol v2 under ``/v2``: every recipe is a model, and Triton's models are behind their own names."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.admin.models import ModelAdmin
from reward_gateway.errors import InvalidRequest, ModelUnavailable
from reward_gateway.intake.decode import decode
from reward_gateway.oip.protocol import OpenInference, read_timeout_s
from reward_gateway.traffic.keys import require_right

from ..call import call_of
from ..client_profiles import ClientProfile, register, register_below
from ..dependencies import deadline_of, dependencies_of, json_response, read_bytes
from ..oip.errors import ERROR_FORMAT
from ..oip.request import InferRequest, read
from ..oip.response import LENGTH, infer_response, plain
from ..openapi import IDEMPOTENCY_KEY, describe, parameter
from ..routing import raw_router

router = raw_router("open inference protocol")


for _path in ("/v2", "/v2/health/ready"):
    register(_path, ClientProfile(ERROR_FORMAT))
for _prefix in ("/v2/models/", "/v2/repository/"):
    register_below(_prefix, ClientProfile(ERROR_FORMAT))


class ServerInfo(msgspec.Struct):
    """Who answers here."""

    name: str
    version: str
    extensions: list[str]


class TensorInfo(msgspec.Struct):
    """An input or output; -1 is any length."""

    name: str
    datatype: str
    shape: list[int]


class ModelInfo(msgspec.Struct):
    """A model's tensors, the batch included."""

    name: str
    platform: str
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    versions: list[str] = []


class ModelReady(msgspec.Struct):
    """A model that can answer now."""

    name: str
    ready: bool


class IndexRow(msgspec.Struct):
    """One version of a recipe or model."""

    name: str
    version: str = ""
    state: str = ""
    reason: str = ""


class LoadedModel(msgspec.Struct):
    """A model as it is served now, and its versions."""

    name: str
    version: str
    versions: list[str]


class UnloadedModel(msgspec.Struct):
    """A model that is served no more."""

    name: str


class OutputTensor(msgspec.Struct):
    """One output: its elements in row-major order, or their size behind the JSON (``binary_data_size``)."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | msgspec.UnsetType = msgspec.UNSET
    parameters: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class InferAnswer(msgspec.Struct):
    """The tensors that answer a request."""

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


def _page(summary: str, *parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return describe(summary, parameters=parameters, error_formats=(ERROR_FORMAT,), **more)


def protocol_of(request: Request) -> OpenInference:
    """The protocol of this process."""
    protocol: OpenInference = request.app.state.open_inference
    return protocol


def _asked(request: Request) -> tuple[str, str]:
    return request.path_params["model"], request.path_params.get("version", "")


@router.get("/v2", **_page("Who answers here", answer=ServerInfo))
async def server(request: Request) -> Response:
    """Name, version and the extensions of the protocol that are spoken."""
    return json_response(plain(protocol_of(request).server_metadata()))


@router.get("/v2/models/{model}", **_page("A model's tensors", _MODEL, answer=ModelInfo))
@router.get("/v2/models/{model}/versions/{version}", **_page("A version's tensors", _MODEL, _VERSION, answer=ModelInfo))
async def metadata(request: Request) -> Response:
    """Names, datatypes and shapes of the inputs and outputs, the batch included."""
    return json_response(plain(await protocol_of(request).model_metadata(*_asked(request))))


@router.get("/v2/models/{model}/config", **_page("A model's configuration", _MODEL))
@router.get("/v2/models/{model}/versions/{version}/config", **_page("A version's configuration", _MODEL, _VERSION))
async def config(request: Request) -> Response:
    """As Triton describes a model: the largest batch, tensors without the batch, one answer a request."""
    return json_response(plain((await protocol_of(request).model_config(*_asked(request))).config))


@router.get("/v2/models/{model}/ready", **_page("Can a model answer now?", _MODEL, answer=ModelReady))
@router.get(
    "/v2/models/{model}/versions/{version}/ready",
    **_page("Can a version answer now?", _MODEL, _VERSION, answer=ModelReady),
)
async def ready(request: Request) -> Response:
    """200 if it can; 503 where a model behind it is not ready."""
    name, version = _asked(request)
    if not await protocol_of(request).is_ready(name, version):
        raise ModelUnavailable("the model is not ready")
    return json_response({"name": name, "ready": True})


@router.get("/v2/models/stats", **_page("What every model has done"))
@router.get("/v2/models/{model}/stats", **_page("What a model has done", _MODEL))
@router.get("/v2/models/{model}/versions/{version}/stats", **_page("What a version has done", _MODEL, _VERSION))
async def statistics(request: Request) -> Response:
    """Counts and times; those of recipes are of this process, since it began."""
    asked = _asked(request) if "model" in request.path_params else ("", "")
    return json_response(plain(await protocol_of(request).model_statistics(*asked)))


class IndexRequest(msgspec.Struct):
    """``{"ready": true}`` lists the models that can answer now."""

    ready: bool = False


_index_request = msgspec.json.Decoder(IndexRequest)


@router.post(
    "/v2/repository/index",
    **_page("List recipes and models", answer=list[IndexRow], body=IndexRequest, example={"ready": True}),
)
async def index(request: Request) -> Response:
    """Recipes as models, and the model server's own. An empty body lists all."""
    body = await read_bytes(request)
    asked = decode(_index_request, body, dependencies_of(request).settings.max_nesting) if body else IndexRequest()
    return json_response([plain(row) for row in (await protocol_of(request).repository_index(asked.ready)).models])


class ControlRequest(msgspec.Struct):
    """Triton's parameters. A configuration or files in the place of the repository's are not taken."""

    parameters: dict[str, Any] = {}


_control_request = msgspec.json.Decoder(ControlRequest)


async def _controlled(request: Request) -> tuple[ModelAdmin, str]:
    """Who may, what is asked, and of which model. Raises PermissionDenied or InvalidRequest."""
    require_right(call_of(request.scope).key, "admin")
    body = await read_bytes(request)
    asked = decode(_control_request, body, dependencies_of(request).settings.max_nesting) if body else ControlRequest()
    if refused := sorted(set(asked.parameters) - {"unload_dependents"}):
        raise InvalidRequest(f"parameters.{refused[0]} is not taken: models are loaded as the repository has them")
    return dependencies_of(request).model_admin, request.path_params["model"]


@router.post(
    "/v2/repository/models/{model}/load", **_page("Load a model", _MODEL, answer=LoadedModel, body=ControlRequest)
)
async def load(request: Request) -> Response:
    """Load it, or load it anew where its folder changed: what was served before answers until then. `NAME@VERSION`
    serves a withdrawn version again. Needs the right `admin`."""
    model_admin, name = await _controlled(request)
    info = await model_admin.load(name)
    return json_response({"name": info.name, "version": info.version, "versions": list(info.versions)})


@router.post(
    "/v2/repository/models/{model}/unload", **_page("Unload a model", _MODEL, answer=UnloadedModel, body=ControlRequest)
)
async def unload(request: Request) -> Response:
    """Serve it no more; `NAME@VERSION` withdraws one version. Requests that it has are answered. Needs the right
    `admin`."""
    model_admin, name = await _controlled(request)
    await model_admin.unload(name)
    return json_response({"name": name})


_BINARY = ("application/octet-stream",)
_INFER = {"body": InferRequest, "answer": InferAnswer, "example": _EXAMPLE, "more_answer_types": _BINARY}


@router.post("/v2/models/{model}/infer", **_page("Score by tensors", _MODEL, IDEMPOTENCY_KEY, **_INFER))
@router.post(
    "/v2/models/{model}/versions/{version}/infer",
    **_page("Score by tensors", _MODEL, _VERSION, IDEMPOTENCY_KEY, **_INFER),
)
async def infer(request: Request) -> Response:
    """Recipes take `prompt`, `response`, `reference` and `group` (BYTES [n, 1]) and give `reward` and `valid`.

    A row without a reward has `valid` false and 0 there. NeMo-Aligner's and trlX's tensors are taken too; they
    are answered by `rewards`, which a sample without a reward fails.
    """
    name, version = _asked(request)
    body = await read_bytes(request)
    asked, binary = read(
        body, request.headers.get(LENGTH), name, version, dependencies_of(request).settings.max_nesting
    )
    deadline = deadline_of(request, read_timeout_s(asked))
    answer = await protocol_of(request).infer(
        asked, deadline, request.query_params.get("reward"), call_of(request.scope).scope
    )
    return infer_response(answer, binary)
