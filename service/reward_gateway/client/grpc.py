"""The gRPC transport, sync and async, where grpcio is installed. The same bodies in, the same answers out."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

from reward_gateway import extras
from reward_gateway.address import split_address

with extras.needed():
    import grpc
    from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from reward_gateway.errors import GatewayError, InvalidRequest, Unavailable, seconds_of_retry_after
from reward_gateway.proto import reward_pb2 as pb

from .failures import of_grpc, tls_failure
from .grpc_jobs import JobExchange, make_exchange
from .grpc_messages import read_list, score_answer, score_request, with_recipe
from .job_calls import JobCall
from .tls import ClientTls
from .wire import ScoreAnswer

T = TypeVar("T")

_SERVICE = "/reward_gateway.v1.RewardService/"
_HEALTH = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"
"""A HealthCheckResponse that says SERVING."""

_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def apply_request(kind: str, name: str, body: Mapping[str, Any]) -> pb.ApplyRequest:
    """One operation's request."""
    try:
        return ParseDict({"kind": kind, "name": name, **body}, pb.ApplyRequest())
    except (ParseError, ValueError, TypeError) as error:
        raise InvalidRequest(f"not an item of the API's form ({type(error).__name__})", param="items") from None


def apply_results(message: pb.ApplyResponse) -> list[dict[str, Any]]:
    """One operation's results, with the keys that HTTP gives."""
    results = []
    for result in message.results:
        error = MessageToDict(result.error) if result.HasField("error") else None
        results.append(
            {
                "reward": result.reward if result.HasField("reward") else None,
                "rewards": read_list(result.rewards) if result.HasField("rewards") else None,
                "details": MessageToDict(result.details),
                "error": error,
            }
        )
    return results


def _read_listing(message: Any) -> dict[str, Any]:
    listing: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for row in listing.get("rewards", ()):
        bounds = row.get("range")
        row["range"] = bounds and [bounds["low"], bounds["high"]]
    return listing


_LISTINGS: dict[str, tuple[str, Any, Any]] = {
    "rewards": ("ListRewards", pb.ListRewardsRequest, pb.ListRewardsResponse),
    "catalog": ("Catalog", pb.CatalogRequest, pb.CatalogResponse),
}


def _listing_call(listing: str) -> tuple[str, Any, Any]:
    if listing not in _LISTINGS:
        what = re.split("[/?]", listing)[0]
        raise InvalidRequest(f"{what} are listed over HTTP only: ask an http:// address")
    return _LISTINGS[listing]


def _to_error(error: Any) -> GatewayError:
    metadata: dict[str, str] = dict(error.trailing_metadata() or ())
    if "CERTIFICATE_VERIFY_FAILED" in (error.details() or ""):
        return tls_failure("CERTIFICATE_VERIFY_FAILED")
    return of_grpc(
        error.code().name,
        metadata.get("error-code", ""),
        error.details() or "",
        unquote(metadata["error-param"]) if "error-param" in metadata else None,
        seconds_of_retry_after(metadata.get("retry-after")),
    )


def _may_be_refused(error: Any, url: str) -> bool:
    """Whether the call did not reach the service because of this client's certificate, or for want of one."""
    ours = "error-code" in dict(error.trailing_metadata() or ())
    return url.startswith("grpcs:") and error.code() is grpc.StatusCode.UNAVAILABLE and not ours


def _only(answers: list[Any]) -> Any:
    """The message that answers a call of one message. Raises Unavailable where there is none."""
    if not answers:
        raise Unavailable("the service ended the call without an answer")
    return answers[-1]


def _caller_metadata(api_key: str | None, run: str | None) -> tuple[tuple[str, str], ...]:
    """The metadata that say who asks, and for which run."""
    key = (("authorization", f"Bearer {api_key}"),) if api_key else ()
    return (*key, ("x-run", run)) if run else key


def _add_marks(metadata: tuple[tuple[str, str], ...], key: str | None, step: int | None) -> tuple[tuple[str, str], ...]:
    if key is not None:
        metadata = (*metadata, ("idempotency-key", key))
    return metadata if step is None else (*metadata, ("x-run-step", str(step)))


class GrpcAddress(NamedTuple):
    """What an address says.

    Attributes:
        target: ``host:port``.
        metadata: who asks, and for which run.
        recipe: the recipe of requests that name none; None: the service's default.
    """

    target: str
    metadata: tuple[tuple[str, str], ...]
    recipe: str | None


def read_address(url: str, api_key: str | None, run: str | None) -> GrpcAddress:
    """Take ``grpc(s)://x:KEY@host:port/run/NAME/r/RECIPE`` apart; all but host and port may be left out.

    Args:
        api_key: the key of an address that has none.
        run: the run that is named elsewhere.

    Raises:
        ValueError: the path names something else, or another run.
    """
    authority, _, path = url.partition("://")[2].rstrip("/").partition("/")
    login, _, target = authority.rpartition("@")
    named = split_address(f"/{path}/" if path else "/")
    if named.path != "/" or "" in (named.run, named.recipe):
        message = "names a run (/run/NAME), a recipe (/r/RECIPE), both, or is left out"
        raise ValueError(f"the path of a gRPC address {message}, not /{path}")
    if None not in (run, named.run) and run != named.run:
        raise ValueError(f"the address names the run {named.run}, and run or REWARD_GATEWAY_RUN names {run}: name one")
    key = unquote(login.partition(":")[2]) or api_key
    return GrpcAddress(target, _caller_metadata(key, named.run or run), named.recipe)


def _health_request(recipe: str | None) -> bytes:
    """A HealthCheckRequest for a recipe, or for the service as a whole.

    A text with the field number 1, as the recipe of a ScoreRequest, so that no further package is needed.
    """
    return b"" if recipe is None else pb.ScoreRequest(reward=recipe).SerializeToString()


def _open_channel(library: Any, target: str, tls: ClientTls | None) -> Any:
    """A channel of ``grpc`` or ``grpc.aio``; without TLS if ``tls`` is None."""
    if tls is None:
        return library.insecure_channel(target, _OPTIONS)
    return library.secure_channel(target, grpc.ssl_channel_credentials(*tls.read()), _OPTIONS)


class GrpcTransport:
    """Calls over one channel."""

    def __init__(self, url: str, api_key: str | None, tls: ClientTls, run: str | None = None) -> None:
        self._address = read_address(url, api_key, run)
        is_secure = url.startswith("grpcs:")
        self._channel = _open_channel(grpc, self._address.target, tls if is_secure else None)
        self._metadata = self._address.metadata
        self._health = _health_request(self._address.recipe)
        self._url, self._tls = url, tls
        self._waits = not is_secure  # waiting for a connection would hide why TLS fails

    def score(self, body: Mapping[str, Any], left_s: float, key: str, step: int | None = None) -> ScoreAnswer:
        return score_answer(
            self._call_method(
                "Score", score_request(with_recipe(body, self._address.recipe)), pb.ScoreResponse, left_s, key, step
            )
        )

    def apply(self, kind: str, name: str, body: Mapping[str, Any], left_s: float, key: str) -> list[dict[str, Any]]:
        return apply_results(self._call_method("Apply", apply_request(kind, name, body), pb.ApplyResponse, left_s, key))

    def get(self, listing: str, left_s: float) -> dict[str, Any]:
        method, request, response = _listing_call(listing)
        return _read_listing(self._call_method(method, request(), response, left_s))

    def post(self, path: str, body: Mapping[str, Any], left_s: float, key: str) -> dict[str, Any]:
        raise InvalidRequest(f"{path} is a path of HTTP: give an address that begins with http:// or https://")

    def call(self, call: JobCall[T], left_s: float, key: str | None = None, step: int | None = None) -> T:
        asked = make_exchange(call, self._address.recipe)
        return asked.read(self._exchange(asked, left_s, key, step))

    def ready(self, left_s: float) -> bool:
        try:
            answer: bytes = self._channel.unary_unary(_HEALTH)(self._health, timeout=left_s, metadata=self._metadata)
        except grpc.RpcError:
            return False
        return answer == _SERVING

    def close(self) -> None:
        self._channel.close()

    def _call_method(
        self, method: str, request: Any, response: Any, left_s: float, key: str | None = None, step: int | None = None
    ) -> Any:
        call = self._channel.unary_unary(
            _SERVICE + method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        try:
            return call(
                request, timeout=left_s, metadata=_add_marks(self._metadata, key, step), wait_for_ready=self._waits
            )
        except grpc.RpcError as error:
            raise self._explain(error) from error

    def _exchange(self, asked: "JobExchange[T]", left_s: float, key: str | None, step: int | None) -> Any:
        call = self._channel.unary_stream(
            _SERVICE + asked.method,
            request_serializer=type(asked.request).SerializeToString,
            response_deserializer=asked.response.FromString,
        )
        metadata = _add_marks(self._metadata, key, step)
        try:
            answers = list(call(asked.request, timeout=left_s, metadata=metadata, wait_for_ready=self._waits))
        except grpc.RpcError as error:
            raise self._explain(error) from error
        return _only(answers)

    def _explain(self, error: Any) -> GatewayError:
        if _may_be_refused(error, self._url) and (reason := self._tls.find_refusal(self._url)):
            return tls_failure(reason)
        return _to_error(error)


class AsyncGrpcTransport:
    """Calls over one ``grpc.aio`` channel."""

    def __init__(self, url: str, api_key: str | None, tls: ClientTls, run: str | None = None) -> None:
        self._address = read_address(url, api_key, run)
        is_secure = url.startswith("grpcs:")
        self._channel = _open_channel(grpc.aio, self._address.target, tls if is_secure else None)
        self._metadata = self._address.metadata
        self._health = _health_request(self._address.recipe)
        self._url, self._tls = url, tls
        self._waits = not is_secure  # waiting for a connection would hide why TLS fails

    async def score(self, body: Mapping[str, Any], left_s: float, key: str, step: int | None = None) -> ScoreAnswer:
        return score_answer(
            await self._call_method(
                "Score", score_request(with_recipe(body, self._address.recipe)), pb.ScoreResponse, left_s, key, step
            )
        )

    async def apply(
        self, kind: str, name: str, body: Mapping[str, Any], left_s: float, key: str
    ) -> list[dict[str, Any]]:
        return apply_results(
            await self._call_method("Apply", apply_request(kind, name, body), pb.ApplyResponse, left_s, key)
        )

    async def get(self, listing: str, left_s: float) -> dict[str, Any]:
        method, request, response = _listing_call(listing)
        return _read_listing(await self._call_method(method, request(), response, left_s))

    async def call(self, call: JobCall[T], left_s: float, key: str | None = None, step: int | None = None) -> T:
        asked = make_exchange(call, self._address.recipe)
        return asked.read(await self._exchange(asked, left_s, key, step))

    async def ready(self, left_s: float) -> bool:
        try:
            answer: bytes = await self._channel.unary_unary(_HEALTH)(
                self._health, timeout=left_s, metadata=self._metadata
            )
        except grpc.RpcError:
            return False
        return answer == _SERVING

    async def close(self) -> None:
        await self._channel.close()

    async def _call_method(
        self, method: str, request: Any, response: Any, left_s: float, key: str | None = None, step: int | None = None
    ) -> Any:
        call = self._channel.unary_unary(
            _SERVICE + method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        try:
            return await call(
                request, timeout=left_s, metadata=_add_marks(self._metadata, key, step), wait_for_ready=self._waits
            )
        except grpc.RpcError as error:
            raise await self._explain(error) from error

    async def _exchange(self, asked: "JobExchange[T]", left_s: float, key: str | None, step: int | None) -> Any:
        call = self._channel.unary_stream(
            _SERVICE + asked.method,
            request_serializer=type(asked.request).SerializeToString,
            response_deserializer=asked.response.FromString,
        )
        metadata = _add_marks(self._metadata, key, step)
        try:
            opened = call(asked.request, timeout=left_s, metadata=metadata, wait_for_ready=self._waits)
            answers = [answer async for answer in opened]
        except grpc.RpcError as error:
            raise await self._explain(error) from error
        return _only(answers)

    async def _explain(self, error: Any) -> GatewayError:
        if _may_be_refused(error, self._url):
            reason = await asyncio.to_thread(self._tls.find_refusal, self._url)
            if reason:
                return tls_failure(reason)
        return _to_error(error)
