"""What a client trusts and who it says it is, over ``https://`` and ``grpcs://``."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self


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

    def read(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """Authorities, key and certificate, as gRPC takes them; without a file of authorities, those of grpcio.

        Raises OSError.
        """
        ca, key, certificate = (
            None if file is None else Path(file).read_bytes()
            for file in (self.ca or ssl.get_default_verify_paths().cafile, self.key, self.certificate)
        )
        return ca, key, certificate
