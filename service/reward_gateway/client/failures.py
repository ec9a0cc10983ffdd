"""Maps the server's errors to the same exception classes on the client."""

import inspect
from collections.abc import Iterator

from reward_gateway import errors
from reward_gateway.errors import GatewayError, InternalError, RequestError, Unavailable


class Unreachable(Unavailable):
    """No connection to the service; the request was not sent."""

    code = "unreachable"


class Untrusted(GatewayError):
    """TLS was refused by the service or the client; trying again changes nothing."""

    code = "untrusted"


def tls_failure(reason: str | None) -> Untrusted:
    """The error of a TLS handshake that failed, by OpenSSL's reason."""
    if reason == "CERTIFICATE_VERIFY_FAILED":
        return Untrusted(
            "the service's certificate is not trusted, or is not for this address: name its authority with ca_file "
            "(REWARD_GATEWAY_CA_FILE)"
        )
    return Untrusted(
        f"TLS failed ({reason or 'no reason given'}): check that the service speaks TLS, and that it accepts this "
        "client's certificate (client_certificate, client_key)"
    )


def _iterate_classes(root: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield root
    for child in root.__subclasses__():
        yield from _iterate_classes(child)


def _is_raised(kind: type[GatewayError]) -> bool:
    """Whether the class is defined by the gateway and raised itself, not only a base class."""
    return inspect.getmodule(kind) is errors and kind not in (GatewayError, RequestError)


# Where classes share a code or a status, the first in the tree is the most general one.
_BY_CODE: dict[str, type[GatewayError]] = {}
_BY_STATUS: dict[int, type[GatewayError]] = {}
_BY_GRPC: dict[str, type[GatewayError]] = {}
for _kind in filter(_is_raised, _iterate_classes(GatewayError)):
    _BY_CODE.setdefault(_kind.code, _kind)
    _BY_STATUS.setdefault(_kind.status, _kind)
    _BY_GRPC.setdefault(_kind.grpc_status, _kind)


def of_http(status: int, code: str, message: str, param: str | None, retry_after_s: float | None) -> GatewayError:
    """The error of an HTTP response. An unknown code is mapped by its status."""
    if not code and status in (502, 503, 504):  # a proxy's, which could not reach the service or gave up waiting
        return _make_error(Unavailable, code, message, param, retry_after_s)
    fallback = RequestError if 400 <= status < 500 else Unavailable if status in (502, 503) else InternalError
    return _make_error(_BY_CODE.get(code) or _BY_STATUS.get(status, fallback), code, message, param, retry_after_s)


def of_grpc(status: str, code: str, message: str, param: str | None, retry_after_s: float | None) -> GatewayError:
    """The error of a gRPC status."""
    if not code and status == "CANCELLED":  # the server dropped the call before anything of ours saw it
        return _make_error(Unavailable, code, message, param, retry_after_s)
    return _make_error(_BY_CODE.get(code) or _BY_GRPC.get(status, InternalError), code, message, param, retry_after_s)


def of_code(code: str, message: str, param: str | None) -> GatewayError:
    """The error of a code that came without a status."""
    return _make_error(_BY_CODE.get(code, RequestError), code, message, param, None)


def _make_error(
    kind: type[GatewayError], code: str, message: str, param: str | None, retry_after_s: float | None
) -> GatewayError:
    error = kind(message, param=param)
    error.retry_after_s = retry_after_s  # only what the server said
    if code:
        error.code = code  # type: ignore[misc]
    return error
