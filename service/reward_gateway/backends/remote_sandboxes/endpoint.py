"""One remote sandbox: called within its concurrency, fairly by request, and within the caller's deadline."""

import asyncio
import json

import httpx
import msgspec

from reward_gateway.errors import seconds_of_retry_after
from reward_gateway.fair_queue import Share
from reward_gateway.sample import Invalid

from ..outgoing_http import open_client
from ..retries import RETRYABLE_STATUSES, TemporaryFailure, call_with_retries
from ..sandbox.languages import COMPILE_S
from ..sandbox.slots import FairSlots
from .config import SandboxConfig
from .protocols import PROTOCOLS, Run, ServerFault, Unrunnable

LARGEST_ANSWER = 64 << 20
LONGEST_REASON = 200


class SandboxEndpoint:
    """Client of one remote sandbox."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self._protocol = PROTOCOLS[config.protocol]
        self._url = self._protocol.find_url(config)
        self._slots = FairSlots(config.concurrency)
        key = config.api_key()
        headers = dict[str, str]()
        if key is not None:
            secret = key.get_secret_value()
            headers["authorization"] = secret if config.protocol == "piston" else f"Bearer {secret}"
        self._client = open_client(headers, config.concurrency)

    async def run(
        self,
        language: str,
        program: str,
        given: str,
        expected: int,
        timeout_s: float,
        share: Share,
        deadline: float | None,
    ) -> Run | Invalid:
        """Run a program with an input.

        Args:
            expected: bytes of the output that a right program writes.
            timeout_s: its time, by the server's clock.
            share: whom the time that a place is held counts against.
            deadline: time on the loop's clock.
        """
        theirs = self._protocol.languages[language]
        body = await asyncio.to_thread(
            lambda: json.dumps(self._protocol.write(self.config, theirs, program, given, timeout_s)).encode()
        )
        try:
            async with asyncio.timeout_at(deadline), self._slots.hold(share):
                return await call_with_retries(
                    lambda: self._call(body, language, expected, timeout_s), self.config.retries, deadline
                )
        except TimeoutError:
            return Invalid("deadline_exceeded", f"the deadline passed before the sandbox {self.config.name} answered")

    async def _call(self, body: bytes, language: str, expected: int, timeout_s: float) -> Run | Invalid:
        """One attempt. Raises TemporaryFailure if a retry may help."""
        wait_s = timeout_s + COMPILE_S + self.config.wait_s
        answer = bytearray()
        try:
            async with (
                asyncio.timeout(wait_s),
                self._client.stream("POST", self._url, content=body) as response,
            ):
                async for piece in response.aiter_bytes():
                    answer += piece
                    if len(answer) > LARGEST_ANSWER:
                        return self._lost("sent an answer over the size limit")
        except TimeoutError:
            raise TemporaryFailure(self._lost(f"did not answer within {wait_s:g} s"), retryable=False) from None
        except httpx.TransportError:
            raise TemporaryFailure(self._lost("cannot be reached")) from None
        except httpx.HTTPError:
            return self._lost("sent a reply that cannot be read")
        if response.status_code != 200:
            return self._read_refusal(response, bytes(answer), language)
        try:
            return await asyncio.to_thread(self._protocol.read, bytes(answer), expected)
        except ServerFault as fault:
            raise TemporaryFailure(self._lost(str(fault))) from None
        except Unrunnable as fault:
            return self._failed(str(fault))
        except (msgspec.MsgspecError, ValueError):
            return self._lost(f"sent an answer that is not one of {self.config.protocol}")

    def _read_refusal(self, response: httpx.Response, answer: bytes, language: str) -> Invalid:
        """The reason for a status other than 200. Raises TemporaryFailure if a retry may succeed."""
        status = response.status_code
        if status in RETRYABLE_STATUSES or status >= 500:
            after_s = seconds_of_retry_after(response.headers.get("retry-after"))
            words = "is limiting requests (status 429)" if status == 429 else f"failed with status {status}"
            raise TemporaryFailure(self._lost(words), after_s=after_s)
        if 300 <= status < 400:
            return self._failed("answered with a redirect; set url to the address that it redirects to")
        said = _read_message(answer)
        if "runtime is unknown" in said:
            return self._failed(f"runs no programs in {language}")
        return self._failed(f"refused the request with status {status}{f' ({said})' if said else ''}")

    def _lost(self, words: str) -> Invalid:
        """The server failed, and may not another time."""
        return Invalid("worker_lost", f"the sandbox {self.config.name} {words}, so this program has no verdict")

    def _failed(self, words: str) -> Invalid:
        return Invalid("operation_error", f"the sandbox {self.config.name} {words}, so this program has no verdict")

    async def close(self) -> None:
        await self._client.aclose()


def _read_message(answer: bytes) -> str:
    """What Piston says of a request that it refuses: of limits and names, never of what was sent."""
    try:
        message = json.loads(answer)["message"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return message[:LONGEST_REASON] if isinstance(message, str) else ""
