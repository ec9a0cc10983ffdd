"""TLS of HTTP and gRPC: a certificate, its key and, for mutual TLS, the authorities of client certificates.

The files are looked at on each new connection, and read again if they have changed: whatever renews certificates has
only to replace the files. Files that cannot be used, because only one of two has been replaced so far, say, leave what
was read before in force.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

from reward_gateway.settings import Settings

from .secret_files import describe_readers, describe_writers

log = structlog.get_logger(__name__)

_Stamp = tuple[tuple[int, int, int], ...]


class TlsFilesError(ValueError):
    """A file of TLS cannot be used; the message names it and says why, and never repeats its content."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The PEM files of a server.

    Attributes:
        certificate: the certificate, followed by those of the authorities between it and the root.
        key: its private key, not encrypted.
        client_ca: certificates of the authorities that sign client certificates; None: clients need none.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The files that the settings name; None without TLS. Raises TlsFilesError if one is missing among them."""
        certificate, key, client_ca = settings.tls_certificate, settings.tls_key, settings.tls_client_ca
        if certificate is None and key is None and client_ca is None:
            return None
        if certificate is None or key is None:
            raise TlsFilesError(
                "TLS needs a certificate and its key: set REWARD_GATEWAY_TLS_CERTIFICATE (--tls-certificate) and "
                "REWARD_GATEWAY_TLS_KEY (--tls-key)"
            )
        return cls(certificate, key, client_ca)

    @property
    def stamp(self) -> _Stamp:
        """Changes when a file is replaced or rewritten. Raises OSError."""
        paths = filter(None, (self.certificate, self.key, self.client_ca))
        return tuple((s.st_mtime_ns, s.st_ino, s.st_size) for s in (path.stat() for path in paths))

    def load(self) -> ssl.SSLContext:
        """A context of a server over HTTP with these files, for TLS 1.2 and later. Raises TlsFilesError.

        Without a client certificate the handshake succeeds all the same: health checks need none, and whoever asks for
        more is told what is missing (:mod:`reward_gateway.http.entry.certificates`). A wrong one ends it.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        self._check_certificates(self.certificate)
        try:
            context.load_cert_chain(self.certificate, self.key, password=self._refuse_password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise TlsFilesError(f"{self.key} is not the key of the certificate {self.certificate}") from None
            reason = f" ({error.reason})" if error.reason else ""
            raise TlsFilesError(f"{self.key} holds no private key in PEM format that can be used{reason}") from None
        except OSError as error:
            raise TlsFilesError(f"{self.key} cannot be read ({error.strerror})") from None
        if writable := describe_writers(self.key):
            raise TlsFilesError(writable)
        if self.client_ca is not None:
            self._check_certificates(self.client_ca)
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
            # A resumed session would not be checked against authorities that have been replaced since.
            context.num_tickets = 0
            context.options |= ssl.OP_NO_TICKET
        return context

    def _refuse_password(self) -> str:
        raise TlsFilesError(
            f"{self.key} is encrypted: give a key without a password, in a file that only its user reads"
        )

    @staticmethod
    def _check_certificates(path: Path) -> None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
        except ssl.SSLError:
            raise TlsFilesError(f"{path} holds no certificate in PEM format") from None
        except OSError as error:
            raise TlsFilesError(f"{path} cannot be read ({error.strerror})") from None


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """What the files held when they were read: a context for HTTP, and the bytes that gRPC takes."""

    context: ssl.SSLContext
    certificate: bytes
    key: bytes
    client_ca: bytes | None


class TlsReloader:
    """The newest material of the files that can be used.

    Raises:
        TlsFilesError: at first there is none.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._stamp: _Stamp | None = None
        self._refused: _Stamp | None = None
        self.material = self._read()

    def refresh(self) -> bool:
        """Read the files again if they have changed; whether there is new material. Raises nothing."""
        stamp: _Stamp = ()  # of files that are not there
        try:
            stamp = self._files.stamp
            if stamp in (self._stamp, self._refused):
                return False
            self.material = self._read()
        except (OSError, TlsFilesError) as error:
            if stamp != self._refused:
                log.error("tls_certificate_kept", reason=str(error))
            self._refused = stamp
            return False
        self._refused = None
        log.info("tls_certificate_reloaded", file=str(self._files.certificate))
        return True

    def _read(self) -> TlsMaterial:
        try:
            stamp = self._files.stamp
        except OSError as error:
            raise TlsFilesError(f"{error.filename} cannot be read ({error.strerror})") from None
        context = self._files.load()
        client_ca = self._files.client_ca
        try:
            material = TlsMaterial(
                context,
                self._files.certificate.read_bytes(),
                self._files.key.read_bytes(),
                None if client_ca is None else client_ca.read_bytes(),
            )
            if self._files.stamp != stamp:
                raise TlsFilesError("the files of TLS were replaced while they were read")
        except OSError as error:
            raise TlsFilesError(f"{error.filename} cannot be read ({error.strerror})") from None
        self._stamp = stamp
        return material


def describe_readable_key(settings: Settings) -> str:
    """Who else may read the key of TLS, and what to do; empty if nobody may, or there is none."""
    files = TlsFiles.of(settings)
    return "" if files is None else describe_readers(files.key)


def reloading_context(files: TlsFiles) -> ssl.SSLContext:
    """A context whose every handshake uses the newest files. Raises TlsFilesError."""
    reloader = TlsReloader(files)
    context = files.load()

    def use_newest(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        reloader.refresh()
        connection.context = reloader.material.context

    context.sni_callback = use_newest  # also called for clients that name no server
    return context
