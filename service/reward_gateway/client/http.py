"""The HTTP transport, sync and async: one pooled connection set, one way to read an answer."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from reward_gateway.errors import DeadlineExceeded, GatewayError, Unavailable, seconds_of_retry_after

from .failures import Unreachable, of_http, tls_failure
from .job_calls import JobCall
from .tls import CLOSED, ClientTls
from .wire import ScoreAnswer, WireFailure, refusal, score_answer

T = TypeVar("T")

_GRACE_S = 1.0
"""The server keeps the deadline; the client waits a little longer to hear it say so."""

_LIMITS = httpx.Limits(max_connections=256, max_keepalive_connections=64, keepalive_expiry=60.0)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def _caller_headers(api_key: str | None, run: str | None) -> dict[str, str]:
    """The headers that say who asks, and for which run."""
    key = {"authorization": f"Bearer {api_key}"} if api_key else {}
    return {**key, "x-run": run} if run else key


def _verification(url: str, tls: ClientTls) -> ssl.SSLContext | bool:
    return tls.context() if url.startswith("https:") else True


def _request_arguments(body: Any, left_s: float, key: str | None, step: int | None) -> dict[str, Any]:
    """Arguments of an httpx request."""
    headers = {"x-request-deadline-ms": f"{left_s * 1e3:.0f}" if left_s >= 1e-3 else "1"}
    if key is not None:
        headers["idempotency-key"] = key
    if step is not None:
        headers["x-run-step"] = str(step)
    arguments: dict[str, Any] = {
        "headers": headers,
        "timeout": httpx.Timeout(left_s + _GRACE_S, connect=min(left_s, 10.0)),
    }
    if body is not None:
        headers["content-type"] = "application/json"
        arguments["content"] = msgspec.json.encode(body)
    return arguments


def _read_content(response: httpx.Response) -> bytes:
    """The body of a response. Raises the GatewayError of an error response."""
    if response.is_success:
        return response.content
    try:
        failure = refusal.decode(response.content).error
    except msgspec.DecodeError:
        failure = WireFailure(message=f"the service answered {response.status_code}")
    wait = seconds_of_retry_after(response.headers.get("retry-after"))
    raise of_http(response.status_code, failure.code, failure.message, failure.param, wait)


def _to_error(error: httpx.HTTPError) -> GatewayError:
    """The error of a request without a response."""
    fault = _find_tls_fault(error)
    if fault is not None:
        return tls_failure(fault.reason)
    if isinstance(error, _NOT_SENT):
        return Unreachable("the service cannot be reached; check its address and whether it runs")
    if isinstance(error, httpx.TimeoutException):
        return DeadlineExceeded("the service did not answer in time")
    broken = Unavailable(f"the connection to the service broke ({type(error).__name__})")
    broken.retry_after_s = None
    return broken


def _may_be_refused(error: GatewayError, url: str, tls: ClientTls) -> bool:
    """Whether the service may have closed the connection because of this client's certificate."""
    return isinstance(error, Unavailable) and url.startswith("https:") and tls.certificate is not None


def _find_tls_fault(error: BaseException) -> ssl.SSLError | None:
    """Why TLS was refused, if it was: not where the connection was only closed, as by a service that restarts."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, CLOSED):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def _apply_path(kind: str, name: str) -> str:
    return f"/v1/{quote(kind, safe='')}/{quote(name, safe='')}"


class HttpTransport:
    """Requests over one ``httpx.Client``."""

    def __init__(self, url: str, api_key: str | None, tls: ClientTls, run: str | None = None) -> None:
        self._url, self._tls = url, tls
        self._client = httpx.Client(
            base_url=url, headers=_caller_headers(api_key, run), limits=_LIMITS, verify=_verification(url, tls)
        )

    def score(self, body: Mapping[str, Any], left_s: float, key: str, step: int | None = None) -> ScoreAnswer:
        return score_answer.decode(self._send_request("POST", "/v1/score", body, left_s, key, step))

    def apply(self, kind: str, name: str, body: Mapping[str, Any], left_s: float, key: str) -> list[dict[str, Any]]:
        answer = msgspec.json.decode(self._send_request("POST", _apply_path(kind, name), body, left_s, key))
        results: list[dict[str, Any]] = answer["results"]
        return results

    def get(self, listing: str, left_s: float) -> dict[str, Any]:
        answer: dict[str, Any] = msgspec.json.decode(self._send_request("GET", f"/v1/{listing}", None, left_s))
        return answer

    def post(self, path: str, body: Mapping[str, Any], left_s: float, key: str) -> dict[str, Any]:
        answer: dict[str, Any] = msgspec.json.decode(self._send_request("POST", path, body, left_s, key))
        return answer

    def call(self, call: JobCall[T], left_s: float, key: str | None = None, step: int | None = None) -> T:
        return call.read(self._send_request(call.method, call.path, call.body, left_s, key, step))

    def ready(self, left_s: float) -> bool:
        try:
            self._send_request("GET", "/readyz", None, left_s)
        except GatewayError:
            return False
        return True

    def close(self) -> None:
        self._client.close()

    def _send_request(
        self, method: str, path: str, body: Any, left_s: float, key: str | None = None, step: int | None = None
    ) -> bytes:
        try:
            response = self._client.request(method, path, **_request_arguments(body, left_s, key, step))
        except httpx.HTTPError as error:
            failure = _to_error(error)
            if _may_be_refused(failure, self._url, self._tls) and (reason := self._tls.find_refusal(self._url)):
                failure = tls_failure(reason)
            raise failure from error
        return _read_content(response)


class AsyncHttpTransport:
    """Requests over one ``httpx.AsyncClient``."""

    def __init__(self, url: str, api_key: str | None, tls: ClientTls, run: str | None = None) -> None:
        self._url, self._tls = url, tls
        self._client = httpx.AsyncClient(
            base_url=url, headers=_caller_headers(api_key, run), limits=_LIMITS, verify=_verification(url, tls)
        )

    async def score(self, body: Mapping[str, Any], left_s: float, key: str, step: int | None = None) -> ScoreAnswer:
        return score_answer.decode(await self._send_request("POST", "/v1/score", body, left_s, key, step))

    async def apply(
        self, kind: str, name: str, body: Mapping[str, Any], left_s: float, key: str
    ) -> list[dict[str, Any]]:
        answer = msgspec.json.decode(await self._send_request("POST", _apply_path(kind, name), body, left_s, key))
        results: list[dict[str, Any]] = answer["results"]
        return results

    async def get(self, listing: str, left_s: float) -> dict[str, Any]:
        answer: dict[str, Any] = msgspec.json.decode(await self._send_request("GET", f"/v1/{listing}", None, left_s))
        return answer

    async def call(self, call: JobCall[T], left_s: float, key: str | None = None, step: int | None = None) -> T:
        return call.read(await self._send_request(call.method, call.path, call.body, left_s, key, step))

    async def ready(self, left_s: float) -> bool:
        try:
            await self._send_request("GET", "/readyz", None, left_s)
        except GatewayError:
            return False
        return True

    async def close(self) -> None:
        await self._client.aclose()

    async def _send_request(
        self, method: str, path: str, body: Any, left_s: float, key: str | None = None, step: int | None = None
    ) -> bytes:
        try:
            response = await self._client.request(method, path, **_request_arguments(body, left_s, key, step))
        except httpx.HTTPError as error:
            failure = _to_error(error)
            if _may_be_refused(failure, self._url, self._tls):
                reason = await asyncio.to_thread(self._tls.find_refusal, self._url)
                failure = tls_failure(reason) if reason else failure
            raise failure from error
        return _read_content(response)
