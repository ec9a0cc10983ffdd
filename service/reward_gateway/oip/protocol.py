"""The Open Inference Protocol over one gateway: model index, metadata, configuration, statistics and inference.

Recipes take precedence over models of the same name on the model server; ``reward_model`` is NeMo-Aligner's name
for the default recipe. Calls for any other name are checked and passed through to Triton; ``NAME@2`` means version 2.
"""

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter_ns
from typing import Any, TypeVar

from google.protobuf.message import Message
from tritonclient.grpc import service_pb2 as pb

from reward_gateway import __version__
from reward_gateway.backends.triton.passthrough import Forwards, PassesThrough
from reward_gateway.errors import GatewayError, InvalidRequest, ModelUnavailable, NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.intake.recipe_name import learn_models, resolve_recipe
from reward_gateway.sample import split_version
from reward_gateway.sample.fields import OF_METADATA
from reward_gateway.scoring.request_scope import NO_SCOPE, RequestScope
from reward_gateway.settings import Settings

from .models import NEMO, NEMO_MODEL, VERSION, VirtualModel, recipe_model
from .scorer import Inference, Scorer
from .statistics import ModelCounts
from .tensors import check_request

M = TypeVar("M", bound=Message)

NAME = "reward-gateway"
EXTENSIONS = ("model_configuration", "binary_tensor_data", "model_repository", "statistics")

LOOKUP_S = 5.0
"""Timeout, in seconds, of metadata calls to the model server."""


class OpenInference:
    """The protocol's calls, shared by HTTP and gRPC. Raises OSError if the configured tokenizer cannot be read."""

    def __init__(self, gateway: Gateway, settings: Settings) -> None:
        self._gateway = gateway
        self._max_batch = settings.max_samples
        self._scorer = Scorer(gateway, settings)
        self._counts: dict[str, ModelCounts] = {}

    # The server

    def server_metadata(self) -> "pb.ServerMetadataResponse":
        """Name, version and extensions of this server."""
        return pb.ServerMetadataResponse(name=NAME, version=__version__, extensions=EXTENSIONS)

    async def repository_index(self, ready_only: bool = False) -> "pb.RepositoryIndexResponse":
        """The recipes, and the model server's models if it can be reached."""
        book = self._gateway.book
        recipes = [*self._list_recipes(), *([NEMO] if NEMO not in book.plans and book.default else [])]
        names = list(dict.fromkeys([*recipes, *await self._list_upstreams()]))
        rows = []
        for name in names:
            ready = await self._is_recipe_ready(name)
            state, reason = ("READY", "") if ready else ("UNAVAILABLE", "a model it needs is not ready")
            rows.append(pb.RepositoryIndexResponse.ModelIndex(name=name, version=VERSION, state=state, reason=reason))
        try:
            triton_answer = await self._call_triton(
                "RepositoryIndex", pb.RepositoryIndexRequest(), pb.RepositoryIndexResponse
            )
            rows += [row for row in triton_answer.models if row.name not in set(names) and book.allows(row.name)]
        except (ModelUnavailable, NotFound):
            pass
        return pb.RepositoryIndexResponse(models=[row for row in rows if row.state == "READY" or not ready_only])

    # A model

    async def is_ready(self, name: str, version: str = "", reward: str | None = None) -> bool:
        """True if a model can answer now; ``reward`` as in :meth:`infer`. Raises NotFound."""
        if self._is_virtual(name, version):
            return await self._is_recipe_ready(name, reward)
        asked = pb.ModelReadyRequest(**_resolve_version(name, version))
        return bool((await self._call_triton("ModelReady", asked, pb.ModelReadyResponse)).ready)

    async def model_metadata(self, name: str, version: str = "") -> "pb.ModelMetadataResponse":
        """Metadata of a model's tensors. Raises NotFound or ModelUnavailable."""
        if (model := self._find_virtual_model(name, version)) is not None:
            return model.encode_metadata()
        asked = pb.ModelMetadataRequest(**_resolve_version(name, version))
        return await self._call_triton("ModelMetadata", asked, pb.ModelMetadataResponse)

    async def model_config(self, name: str, version: str = "") -> "pb.ModelConfigResponse":
        """A model's configuration. Raises NotFound or ModelUnavailable."""
        if (model := self._find_virtual_model(name, version)) is not None:
            return pb.ModelConfigResponse(config=model.encode_config(self._max_batch))
        asked = pb.ModelConfigRequest(**_resolve_version(name, version))
        return await self._call_triton("ModelConfig", asked, pb.ModelConfigResponse)

    async def model_statistics(self, name: str = "", version: str = "") -> "pb.ModelStatisticsResponse":
        """Statistics of one model, or of all without a name; recipes count from process start. Raises NotFound."""
        asked = pb.ModelStatisticsRequest(**_resolve_version(name, version))
        if name and not self._is_virtual(name, version):
            return await self._call_triton("ModelStatistics", asked, pb.ModelStatisticsResponse)
        names = [name] if name else [*self._list_recipes(), NEMO]
        rows = [self._counts.get(name, ModelCounts()).encode_statistics(name) for name in dict.fromkeys(names)]
        if not name:
            try:
                triton_answer = await self._call_triton("ModelStatistics", asked, pb.ModelStatisticsResponse)
                book = self._gateway.book
                rows += [
                    row for row in triton_answer.model_stats if row.name not in set(names) and book.allows(row.name)
                ]
            except (ModelUnavailable, NotFound):
                pass
        return pb.ModelStatisticsResponse(model_stats=rows)

    # Inference

    async def infer(
        self,
        request: "pb.ModelInferRequest",
        deadline: float,
        reward: str | None = None,
        scope: RequestScope = NO_SCOPE,
        chat_format: str | None = None,
    ) -> "pb.ModelInferResponse":
        """Run inference with a recipe, or pass the request to Triton.

        Args:
            deadline: a time of the running loop's clock.
            reward: recipe asked for outside the request, in the path or in the query; the request's parameter
                ``reward`` goes before it, and the model's name comes after.
            scope: the caller, and the idempotency key.
            chat_format: format of chat text asked for outside it; the parameter ``chat_format`` goes before it.

        Raises:
            GatewayError: the request cannot be answered.
        """
        return (await self.infer_once(request, deadline, reward, scope, chat_format)).response

    async def infer_once(
        self,
        request: "pb.ModelInferRequest",
        deadline: float,
        reward: str | None = None,
        scope: RequestScope = NO_SCOPE,
        chat_format: str | None = None,
    ) -> Inference:
        """As :meth:`infer`, and whether the same request would get the same answer again."""
        name = request.model_name
        parameter = _read_text(request, "reward")
        await learn_models(self._gateway, parameter, reward, name)
        if not self._is_virtual(name, request.model_version):
            if {parameter, reward} - {None, name} or chat_format is not None:
                raise InvalidRequest(
                    "`reward` and `chat_format` apply to recipes only; this is a model of the model server"
                )
            _set_version(request)
            check_request(request)
            answer = await self._require_triton(name).call("ModelInfer", request, pb.ModelInferResponse, deadline)
            return Inference(answer)
        resolved = resolve_recipe(self._gateway, parameter, reward, name)
        counts, began = self._counts.setdefault(name, ModelCounts()), perf_counter_ns()
        try:
            chosen = _read_text(request, "chat_format") or chat_format
            return await self._scorer.infer(request, resolved, deadline, counts, scope, chosen)
        except GatewayError:
            counts.add_failure(perf_counter_ns() - began)
            raise

    def count_repeat(self, name: str, samples: int, ns: int) -> None:
        """Count a request that was answered as one before it, in so many nanoseconds."""
        self._counts.setdefault(name, ModelCounts()).add_success(samples, ns, 0, 0)

    async def stream(
        self, request: "pb.ModelInferRequest", deadline: float, scope: RequestScope = NO_SCOPE
    ) -> AsyncIterator[Any]:
        """The ``ModelStreamInferResponse`` messages that answer one request of a stream. Raises GatewayError."""
        if not self._is_virtual(request.model_name, request.model_version):
            _set_version(request)
            check_request(request)
            async for message in self._require_triton(request.model_name).stream(request, deadline):
                yield message
            return
        response = await self.infer(request, deadline, scope=scope)
        response.parameters["triton_final_response"].bool_param = True
        yield pb.ModelStreamInferResponse(infer_response=response)

    # Names

    def _list_recipes(self) -> list[str]:
        return [plan.name for plan in self._gateway.book]

    async def _list_upstreams(self) -> list[str]:
        """Models that are on no Triton, as far as recipes can name them."""
        try:
            served = await self._gateway.list_models()
        except ModelUnavailable:
            return []
        return [info.name for info in served if not self._is_on_triton(info.name) and self._is_recipe(info.name)]

    def _find_virtual_model(self, name: str, version: str) -> VirtualModel | None:
        """The recipe of this name or alias, or None for one of Triton's. Raises NotFound for any version but 1."""
        if not self._is_virtual(name, version):
            return None
        if name == NEMO:
            return NEMO_MODEL
        plan = self._gateway.get_plan(name)
        keys = [key for key in plan.inputs if key.startswith(OF_METADATA)]
        return recipe_model(name, grouped=plan.grouped, keys=keys)

    def _is_virtual(self, name: str, version: str) -> bool:
        """Whether the gateway serves a model itself.

        Raises:
            NotFound: it does, and another version than 1 is asked for.
            PermissionDenied: the caller may not use the model.
        """
        if name != NEMO:
            self._gateway.check_use(name)
        if name != NEMO and not self._is_recipe(name):
            return False
        if version not in ("", VERSION):
            raise NotFound(f"a recipe has a single model version, {VERSION}")
        return True

    def _is_recipe(self, name: str) -> bool:
        """Whether the gateway answers to the name: a recipe, an alias, or one number of a served model, NAME:LABEL.

        The own name of a model on Triton remains the model itself; that of an upstream, which does not speak the
        protocol, is a recipe's.
        """
        plan = self._gateway.find_plan(name)
        return plan is not None and (
            name in self._gateway.book or plan.models != (name,) or not self._is_on_triton(name)
        )

    def _is_on_triton(self, name: str) -> bool:
        models = self._gateway.runtime.models
        return not isinstance(models, PassesThrough) or models.passthrough.handles(name)

    async def _is_recipe_ready(self, name: str, reward: str | None = None) -> bool:
        resolved = resolve_recipe(self._gateway, None, reward, name)
        return await self._gateway.find_lack(resolved) is None

    def _require_triton(self, name: str) -> Forwards:
        models = self._gateway.runtime.models
        if not isinstance(models, PassesThrough):
            raise NotFound(f"there is no model of this name; recipes: {', '.join(self._list_recipes())}")
        return models.passthrough

    async def _call_triton(self, method: str, request: Message, answer: type[M]) -> M:
        deadline = asyncio.get_running_loop().time() + LOOKUP_S
        return await self._require_triton(method).call(method, request, answer, deadline)


def _resolve_version(name: str, version: str) -> dict[str, str]:
    """Name and version for the model server. Raises InvalidRequest if the name and ``version`` disagree."""
    base, pinned = split_version(name)
    if pinned and version and pinned != version:
        raise InvalidRequest(f"the model's name says version {pinned}, the request version {version}")
    return {"name": base, "version": pinned or version}


def _set_version(request: "pb.ModelInferRequest") -> None:
    asked = _resolve_version(request.model_name, request.model_version)
    request.model_name, request.model_version = asked["name"], asked["version"]


def _read_text(request: "pb.ModelInferRequest", name: str) -> str | None:
    """A parameter of the request that is a text; None if it is absent. Raises InvalidRequest for another type."""
    parameters = request.parameters
    if not parameters or name not in parameters:
        return None
    given = request.parameters[name]
    if given.WhichOneof("parameter_choice") != "string_param":
        raise InvalidRequest(f"parameters.{name}: must be a text", param=f"parameters.{name}")
    text: str = given.string_param
    return text


def read_timeout_s(request: "pb.ModelInferRequest") -> float | None:
    """The request's own timeout in seconds, from its parameter ``timeout`` in microseconds; None if absent or 0.

    Raises:
        InvalidRequest: it is not a whole number, or negative.
    """
    parameters = request.parameters
    if not parameters or "timeout" not in parameters:
        return None
    given = request.parameters["timeout"]
    kind = given.WhichOneof("parameter_choice")
    value = getattr(given, kind) if kind in ("int64_param", "uint64_param") else -1
    if value < 0:
        message = "parameters.timeout: must be a whole number of microseconds, 0 or more"
        raise InvalidRequest(message, param="parameters.timeout")
    return value / 1e6 or None
