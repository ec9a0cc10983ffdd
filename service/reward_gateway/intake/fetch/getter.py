"""The bytes behind a URL: no cookies, no proxies, no compression, few redirects, and never more than was asked for."""

import ssl
from collections.abc import Callable
from urllib.parse import urljoin

import httpcore

from reward_gateway.backends.outgoing_http import share_context
from reward_gateway.whole_numbers import parse_whole

from .failures import FetchFault
from .network import PublicNetwork
from .urls import Url, UrlRules, read_url

MOST_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = ((b"Accept", b"image/*"), (b"Accept-Encoding", b"identity"), (b"User-Agent", b"reward-gateway"))


class Getter:
    """Gets one URL at a time, each over a connection of its own.

    Args:
        max_bytes: a body may have.
        trust: whose certificates are believed; None: the public authorities, or those of ``SSL_CERT_FILE``.
    """

    def __init__(
        self,
        network: PublicNetwork,
        rules: UrlRules,
        max_bytes: int,
        concurrency: int,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._rules = rules
        self._max_bytes = max_bytes
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust or share_context(),
            max_connections=concurrency,
            max_keepalive_connections=0,
            network_backend=network,
        )

    async def get(self, text: str, received: Callable[[int], None]) -> bytes:
        """The body of a URL.

        Args:
            received: told of each piece's bytes; it may raise FetchFault to stop.

        Raises:
            FetchFault: it may not be fetched, or it cannot.
        """
        url = read_url(text, self._rules)
        for _ in range(MOST_REDIRECTS + 1):
            body_or_location = await self._send_request(url, received)
            if isinstance(body_or_location, bytes):
                return body_or_location
            url = self._follow_redirect(url, body_or_location)
        raise FetchFault(f"more than {MOST_REDIRECTS} redirects", outcome="redirects")

    def _follow_redirect(self, url: Url, location: str) -> Url:
        try:
            return read_url(urljoin(str(url), location), self._rules)
        except FetchFault as fault:
            raise FetchFault(f"redirected to where it may not go: {fault.sentence}", outcome=fault.outcome) from None
        except ValueError:
            raise FetchFault("redirected to what is no address", outcome="redirects") from None

    async def _send_request(self, url: Url, received: Callable[[int], None]) -> bytes | str:
        """The body, or where it is said to be."""
        address = httpcore.URL(
            scheme=url.scheme.encode(), host=url.host.encode(), port=url.port, target=url.target.encode()
        )
        headers = [(b"Host", url.authority.encode()), *_HEADERS]
        try:
            async with self._pool.stream("GET", address, headers=headers) as response:
                return await self._read_response(response, received)
        except httpcore.ConnectError as error:
            if _is_tls(error):
                raise FetchFault("no trusted certificate for its host", outcome="untrusted") from None
            raise FetchFault("its host cannot be reached", outcome="unreachable") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            raise FetchFault("the answer broke off, or is no HTTP", outcome="broken") from None

    async def _read_response(self, response: httpcore.Response, received: Callable[[int], None]) -> bytes | str:
        fields = {name.lower(): value.decode("latin-1") for name, value in response.headers}
        if response.status in _REDIRECTS and b"location" in fields:
            return fields[b"location"]
        if response.status != 200:
            raise FetchFault(f"its host answered with status {response.status}", outcome="status")
        if fields.get(b"content-encoding", "identity").strip().lower() != "identity":
            raise FetchFault("its host answered with compression that was not asked for", outcome="encoded")
        if (parse_whole(fields.get(b"content-length", "")) or 0) > self._max_bytes:
            raise self._too_large()
        body = bytearray()
        async for piece in response.aiter_stream():
            received(len(piece))
            body += piece
            if len(body) > self._max_bytes:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> FetchFault:
        return FetchFault(f"over the limit of {self._max_bytes} bytes", outcome="too_large", code="too_large")

    async def close(self) -> None:
        await self._pool.aclose()


def _is_tls(error: BaseException | None) -> bool:
    """Whether what is behind an error is the certificate, or another fault of TLS."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None
