"""A web site on this machine, of a certificate that only these tests trust, which misbehaves by its path."""

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import pytest
import trustme
from reward_gateway.intake.fetch.addresses import Address

HERE = "127.0.0.1"
HOST = "images.example.org"

Writer = asyncio.StreamWriter
Answer = Callable[[Writer], Awaitable[None]]


def whole(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def plain(status: str, body: bytes = b"", *headers: str) -> Answer:
    async def answer(writer: Writer) -> None:
        writer.write(whole(status, body, *headers))

    return answer


def moved(to: str, status: str = "302 Found") -> Answer:
    return plain(status, b"", f"Location: {to}")


def raw(*pieces: bytes, pause_s: float = 0.0, endless: bool = False) -> Answer:
    """Bytes as they are, and perhaps the last of them for ever."""

    async def answer(writer: Writer) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
        while endless:
            writer.write(pieces[-1])
            await writer.drain()
            await asyncio.sleep(pause_s)

    return answer


@dataclass
class Site:
    """What the site was asked, and what it answers."""

    answers: dict[str, Answer]
    trust: ssl.SSLContext
    names: dict[str, list[list[str]]] = field(default_factory=dict)
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    lookups: list[str] = field(default_factory=list)
    port: int = 0
    other_port: int = 0

    def url(self, path: str, host: str = HOST) -> str:
        return f"https://{host}:{self.port}{path}"

    async def resolve(self, host: str, port: int) -> list[Address]:
        """A stand-in for DNS: each name has the addresses of one look-up after the other, the last for ever."""
        self.lookups.append(host)
        found = self.names.get(host, [[HERE]] if host == HOST else [])
        if not found:
            raise OSError("no such name")
        return [ip_address(text) for text in (found.pop(0) if len(found) > 1 else found[0])]

    def fetching(self, **more: Any) -> dict[str, Any]:
        """What the fetcher is given: this site's names and certificate, and this machine taken for a public one."""
        return {"resolve": self.resolve, "trust": self.trust, "public": lambda found: str(found) == HERE} | more

    async def take(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.connections += 1
        try:
            asked = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(asked)
            path = asked.split(b" ")[1].partition(b"?")[0].decode()
            await self.answers[path](writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            with contextlib.suppress(OSError, ssl.SSLError):
                writer.close()
                await writer.wait_closed()


def behaviours(good: bytes) -> dict[str, Answer]:
    length = f"Content-Length: {len(good)}\r\n".encode()
    ok = b"HTTP/1.1 200 OK\r\n"
    in_chunks = ok + b"Transfer-Encoding: chunked\r\n\r\n"
    return {
        "/good.png": plain("200 OK", good, "Content-Type: text/html", "Set-Cookie: a=b"),
        "/chunked.png": raw(in_chunks + b"%x\r\n" % len(good), good + b"\r\n0\r\n\r\n"),
        "/until-closed.png": raw(ok + b"Connection: close\r\n\r\n" + good),
        "/moved": moved("/good.png", "301 Moved Permanently"),
        "/moved-twice": moved("/moved", "307 Temporary Redirect"),
        "/moved-5": moved("/moved-4"),
        "/moved-4": moved("/moved-3"),
        "/moved-3": moved("/moved-twice"),
        "/loop": moved("/loop"),
        "/to-loopback": moved("https://127.0.0.2/secret"),
        "/to-private": moved("https://10.0.0.1/secret"),
        "/to-metadata": moved("https://169.254.169.254/latest/meta-data/"),
        "/to-hidden": moved("//internal.example.org/secret"),
        "/to-http": moved("http://images.example.org/good.png"),
        "/to-file": moved("file:///etc/passwd"),
        "/to-port": moved("https://images.example.org:22/"),
        "/to-user": moved("https://a:b@images.example.org/"),
        "/to-nonsense": moved("https://[::1"),
        "/to-nothing": plain("302 Found"),
        "/missing": plain("404 Not Found", b"no"),
        "/failing": plain("500 Internal Server Error", b"no"),
        "/empty": plain("200 OK"),
        "/no-content": raw(b"HTTP/1.1 204 No Content\r\n\r\n"),
        "/part": plain("206 Partial Content", good[:100]),
        "/page": plain("200 OK", b"<html>not an image</html>", "Content-Type: image/png"),
        "/gzip": plain("200 OK", gzip.compress(bytes(10 << 20)), "Content-Encoding: gzip"),
        "/compressed": plain("200 OK", gzip.compress(good), "Content-Encoding: gzip"),
        "/declared-huge": raw(ok + b"Content-Length: 9999999999999\r\n\r\n", b"x", endless=True, pause_s=0.01),
        "/declared-short": raw(ok + b"Content-Length: 20\r\n\r\n" + good),
        "/declared-long": raw(ok + length.replace(b"\r\n", b"0\r\n") + b"\r\n" + good),
        "/declared-twice": raw(ok + length + b"Content-Length: 7\r\n\r\n" + good),
        "/endless": raw(ok + b"\r\n", bytes(65536), endless=True),
        "/endless-chunks": raw(
            ok + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + bytes(65536) + b"\r\n", endless=True
        ),
        "/slow-body": raw(ok + length + b"\r\n", b"x", endless=True, pause_s=0.05),
        "/slow-head": raw(ok, b"X: y\r\n", endless=True, pause_s=0.05),
        "/silent": raw(b"", pause_s=3600),
        "/early": raw(b"HTTP/1.1 100 Continue\r\n\r\n", endless=True, pause_s=0.001),
        "/huge-header": raw(ok + b"X-Long: " + b"a" * (4 << 20) + b"\r\n\r\n" + good),
        "/many-headers": raw(ok + b"X: y\r\n" * 100_000 + b"\r\n" + good),
        "/no-http": raw(b"SSH-2.0-OpenSSH_9.9\r\n"),
        "/cut": raw(ok + length + b"\r\n" + good[:50]),
    }


def on(site: Any, **more: Any) -> dict[str, Any]:
    """Settings; no machine is too slow for their time limits."""
    limits = {"media_url_timeout_s": 60.0, "media_url_connect_s": 60.0}
    return {"fetching": site.fetching(), "media_urls": True, "media_url_ports": f"{site.port}"} | limits | more


@pytest.fixture(scope="session")
def certified() -> tuple[ssl.SSLContext, ssl.SSLContext, ssl.SSLContext]:
    """Who trusts the tests' authority; the site's certificate; one of another host."""
    authority, trust = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trust)
    own, other = (ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) for _ in range(2))
    authority.issue_cert(HOST).configure_cert(own)
    authority.issue_cert("another.example.org").configure_cert(other)
    return trust, own, other


@pytest.fixture
async def site(
    anyio_backend: str, picture: Callable[..., bytes], certified: tuple[ssl.SSLContext, ...]
) -> AsyncIterator[Site]:
    """The site, listening; ``other_port`` shows a certificate of another host."""
    trust, own, other = certified
    found = Site(behaviours(picture(size=(30, 10))), trust)
    async with _listening(found, own) as found.port, _listening(found, other) as found.other_port:
        yield found


@asynccontextmanager
async def _listening(site: Site, context: ssl.SSLContext) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[None]] = set()

    def taken(reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.ensure_future(site.take(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(taken, HERE, 0, ssl=context)
    try:
        port: int = server.sockets[0].getsockname()[1]
        yield port
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
