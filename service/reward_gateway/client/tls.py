"""What a client trusts and who it says it is, over ``https://`` and ``grpcs://``."""

import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

REFUSAL_S = 1.0
"""Seconds that a service has to refuse a certificate after the handshake; one that takes it is silent over HTTP."""

CLOSED = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""TLS errors of a connection that was only closed, as by a service that restarts."""

_CLOSED = "the connection was closed"
_HELLO = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class ClientTls:
    """PEM files of a client.

    Attributes:
        ca: authorities that may sign the service's certificate; None: those that the system trusts.
        certificate, key: the client's own, for a service that demands one (mutual TLS).
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def of(
        cls,
        ca: str | os.PathLike[str] | None = None,
        certificate: str | os.PathLike[str] | None = None,
        key: str | os.PathLike[str] | None = None,
    ) -> Self:
        """What is given, else ``REWARD_GATEWAY_CA_FILE`` and ``REWARD_GATEWAY_CLIENT_{CERTIFICATE,KEY}``.

        Raises:
            ValueError: a certificate without its key, or a key without its certificate.
        """
        given = {
            "REWARD_GATEWAY_CA_FILE": ca,
            "REWARD_GATEWAY_CLIENT_CERTIFICATE": certificate,
            "REWARD_GATEWAY_CLIENT_KEY": key,
        }
        files = [value or os.environ.get(variable) for variable, value in given.items()]
        if (files[1] is None) != (files[2] is None):
            raise ValueError("a client certificate needs its key, and a key its certificate: give both files")
        return cls(*(None if file is None else Path(file) for file in files))

    def context(self) -> ssl.SSLContext:
        """For HTTP. Raises OSError (ssl.SSLError is one) if a file cannot be used."""
        context = ssl.create_default_context(cafile=self.ca)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context

    def find_refusal(self, url: str) -> str | None:
        """Why the service refuses this client in the handshake; None if it does not, or is not there.

        A connection that broke does not say so: with TLS 1.3 the service refuses a client after the client's part of
        the handshake, and its reason is lost where the client has sent a request meanwhile; here none is sent. Some
        give no reason and close, as a service does that is being stopped or has no room. Over HTTP, one that refuses a
        certificate then takes a client without any; over gRPC, one that takes a client speaks first.
        """
        is_grpc = url.startswith("grpcs:")
        reason = self._shake_hands(url)
        if reason == _CLOSED:
            again = self._shake_hands(url) if is_grpc else ClientTls(self.ca)._shake_hands(url, _HELLO)
            return _CLOSED if again == (_CLOSED if is_grpc else "") else None
        return reason

    def _shake_hands(self, url: str, hello: bytes = b"") -> str | None:
        """Why a connection was refused; empty if it was not, None if there was none."""
        parts = urlsplit(url)
        try:
            context = self.context()
            context.set_alpn_protocols(["h2" if parts.scheme == "grpcs" else "http/1.1"])
            with (
                socket.create_connection((parts.hostname or "", parts.port or 443), timeout=REFUSAL_S) as plain,
                context.wrap_socket(plain, server_hostname=parts.hostname) as secure,
            ):
                secure.sendall(hello)
                try:
                    return "" if secure.recv(1) else _CLOSED
                except TimeoutError:
                    return ""
        except ssl.SSLError as error:
            return None if isinstance(error, CLOSED) else error.reason
        except OSError:
            return None

    def read(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """Authorities, key and certificate, as gRPC takes them; without a file of authorities, those of grpcio.

        Raises OSError.
        """
        ca, key, certificate = (
            None if file is None else Path(file).read_bytes()
            for file in (self.ca or ssl.get_default_verify_paths().cafile, self.key, self.certificate)
        )
        return ca, key, certificate
