"""The protocol over one gateway: which models there are, what they say of themselves, and who answers an infer.

A recipe's name wins over a model of the same name on the model server; ``reward_model`` is NeMo-Aligner's name
of the default recipe. Every other name is Triton's, and its calls are handed on as they are; ``NAME@2`` is its
version 2.
"""

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter_ns
from typing import Any, TypeVar

from google.protobuf.message import Message
from tritonclient.grpc import service_pb2 as pb

from reward_gateway import __version__
from reward_gateway.backends.triton.passthrough import PassesThrough, Passthrough
from reward_gateway.errors import GatewayError, InvalidRequest, ModelUnavailable, NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.sample import split_version
from reward_gateway.scoring.request_scope import NO_SCOPE, RequestScope
from reward_gateway.settings import Settings

from .models import NEMO, NEMO_MODEL, VERSION, VirtualModel, recipe
from .scorer import Scorer
from .statistics import ModelCounts

M = TypeVar("M", bound=Message)

NAME = "reward-gateway"
EXTENSIONS = ("model_configuration", "binary_tensor_data", "model_repository", "statistics")

LOOKUP_S = 5.0
"""Longest wait for what the model server says of a model."""


class OpenInference:
    """What HTTP and gRPC answer from. Raises OSError where the tokenizer that is set cannot be read."""

    def __init__(self, gateway: Gateway, settings: Settings) -> None:
        self._gateway = gateway
        self._max_batch = settings.max_samples
        self._scorer = Scorer(gateway, settings)
        self._counts: dict[str, ModelCounts] = {}

    # The server

    def server(self) -> "pb.ServerMetadataResponse":
        """Who answers here."""
        return pb.ServerMetadataResponse(name=NAME, version=__version__, extensions=EXTENSIONS)

    async def index(self, ready_only: bool = False) -> "pb.RepositoryIndexResponse":
        """The recipes, and the models of the model server while it answers."""
        names = [*self._names(), *([] if self._gateway.has_reward(NEMO) else [NEMO])]
        rows = []
        for name in names:
            ready = await self._ready(name)
            state, reason = ("READY", "") if ready else ("UNAVAILABLE", "a model that it asks is not ready")
            rows.append(pb.RepositoryIndexResponse.ModelIndex(name=name, version=VERSION, state=state, reason=reason))
        try:
            behind = await self._ask("RepositoryIndex", pb.RepositoryIndexRequest(), pb.RepositoryIndexResponse)
            rows += [row for row in behind.models if row.name not in set(names)]
        except (ModelUnavailable, NotFound):
            pass
        return pb.RepositoryIndexResponse(models=[row for row in rows if row.state == "READY" or not ready_only])

    # A model

    async def ready(self, name: str, version: str = "") -> bool:
        """Whether a model can answer now. Raises NotFound."""
        if self._virtual(name, version) is not None:
            return await self._ready(name)
        asked = pb.ModelReadyRequest(**_pinned(name, version))
        return bool((await self._ask("ModelReady", asked, pb.ModelReadyResponse)).ready)

    async def metadata(self, name: str, version: str = "") -> "pb.ModelMetadataResponse":
        """A model's tensors. Raises NotFound or ModelUnavailable."""
        if (model := self._virtual(name, version)) is not None:
            return model.metadata()
        asked = pb.ModelMetadataRequest(**_pinned(name, version))
        return await self._ask("ModelMetadata", asked, pb.ModelMetadataResponse)

    async def config(self, name: str, version: str = "") -> "pb.ModelConfigResponse":
        """A model's configuration. Raises NotFound or ModelUnavailable."""
        if (model := self._virtual(name, version)) is not None:
            return pb.ModelConfigResponse(config=model.config(self._max_batch))
        asked = pb.ModelConfigRequest(**_pinned(name, version))
        return await self._ask("ModelConfig", asked, pb.ModelConfigResponse)

    async def statistics(self, name: str = "", version: str = "") -> "pb.ModelStatisticsResponse":
        """What a model has done, or every one; of recipes since this process began. Raises NotFound."""
        asked = pb.ModelStatisticsRequest(**_pinned(name, version))
        if name and self._virtual(name, version) is None:
            return await self._ask("ModelStatistics", asked, pb.ModelStatisticsResponse)
        names = [name] if name else [*self._names(), NEMO]
        rows = [self._counts.get(name, ModelCounts()).message(name) for name in dict.fromkeys(names)]
        if not name:
            try:
                behind = await self._ask("ModelStatistics", asked, pb.ModelStatisticsResponse)
                rows += [row for row in behind.model_stats if row.name not in set(names)]
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
    ) -> "pb.ModelInferResponse":
        """Answer by a recipe, or hand on.

        Args:
            deadline: a time of the running loop's clock.
            reward: recipe asked for outside the request, for example in the query; the request's parameter
                ``reward`` goes before it, and the model's name comes after.
            scope: on whose behalf, and whether a repeat counts as the same request.

        Raises:
            GatewayError: it cannot be answered.
        """
        name = request.model_name
        if self._virtual(name, request.model_version) is None:
            if reward is not None or "reward" in request.parameters:
                raise InvalidRequest("a reward is chosen by the name of a recipe; this model has no recipes")
            _pin(request)
            return await self._triton(name).call("ModelInfer", request, pb.ModelInferResponse, deadline)
        parameter = request.parameters["reward"].string_param if "reward" in request.parameters else None
        named = name if self._gateway.has_reward(name) else None
        resolved = self._gateway.resolve_reward(parameter, reward, named)
        counts, began = self._counts.setdefault(name, ModelCounts()), perf_counter_ns()
        try:
            return await self._scorer.infer(request, resolved, deadline, counts, scope)
        except GatewayError:
            counts.failed(perf_counter_ns() - began)
            raise

    async def stream(
        self, request: "pb.ModelInferRequest", deadline: float, scope: RequestScope = NO_SCOPE
    ) -> AsyncIterator[Any]:
        """The ``ModelStreamInferResponse`` messages that answer one request of a stream. Raises GatewayError."""
        if self._virtual(request.model_name, request.model_version) is None:
            _pin(request)
            async for message in self._triton(request.model_name).stream(request, deadline):
                yield message
            return
        response = await self.infer(request, deadline, scope=scope)
        response.parameters["triton_final_response"].bool_param = True
        yield pb.ModelStreamInferResponse(infer_response=response)

    # Who it is

    def _names(self) -> list[str]:
        return [plan.name for plan in self._gateway.book]

    def _virtual(self, name: str, version: str) -> VirtualModel | None:
        """The recipe that has this name; None where the name is Triton's. Raises NotFound for another version."""
        if name == NEMO:
            model = NEMO_MODEL
        elif self._gateway.has_reward(name):
            model = recipe(name)
        else:
            return None
        if version not in ("", VERSION):
            raise NotFound(f"a recipe has one version as a model: {VERSION}")
        return model

    async def _ready(self, name: str) -> bool:
        reward = self._gateway.resolve_reward(name if self._gateway.has_reward(name) else None)
        return not await self._gateway.missing(reward)

    def _triton(self, name: str) -> Passthrough:
        models = self._gateway.runtime.models
        if not isinstance(models, PassesThrough):
            raise NotFound(f"there is no model of this name; the recipes are: {', '.join(self._names())}")
        return models.passthrough

    async def _ask(self, method: str, request: Message, answer: type[M]) -> M:
        deadline = asyncio.get_running_loop().time() + LOOKUP_S
        return await self._triton(method).call(method, request, answer, deadline)


def _pinned(name: str, version: str) -> dict[str, str]:
    """Name and version for the model server. Raises InvalidRequest where the name pins another version."""
    base, pinned = split_version(name)
    if pinned and version and pinned != version:
        raise InvalidRequest(f"the name asks for version {pinned} and the path for {version}")
    return {"name": base, "version": pinned or version}


def _pin(request: "pb.ModelInferRequest") -> None:
    asked = _pinned(request.model_name, request.model_version)
    request.model_name, request.model_version = asked["name"], asked["version"]


def timeout_s(request: "pb.ModelInferRequest") -> float | None:
    """The request's own deadline in seconds: its parameter ``timeout`` in microseconds; 0 is none.

    Raises:
        InvalidRequest: it is no whole number, or negative.
    """
    if "timeout" not in request.parameters:
        return None
    given = request.parameters["timeout"]
    kind = given.WhichOneof("parameter_choice")
    value = getattr(given, kind) if kind in ("int64_param", "uint64_param") else -1
    if value < 0:
        message = "parameters.timeout: a whole number of microseconds"
        raise InvalidRequest(message, param="parameters.timeout")
    return value / 1e6 or None
