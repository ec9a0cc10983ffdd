"""A failure as a gRPC status, from the one table of errors: code, message, and metadata that machines read."""

import math
from urllib.parse import quote

import grpc

from reward_gateway.errors import GatewayError

Metadata = tuple[tuple[str, str], ...]


def status_code(error: GatewayError) -> grpc.StatusCode:
    """The status that the error's class owns."""
    return grpc.StatusCode[error.grpc_status]


def trailing_metadata(error: GatewayError) -> Metadata:
    """``error-code``, ``error-type``, ``error-param`` (percent-encoded) and ``retry-after`` (whole seconds)."""
    metadata = [("error-code", error.code), ("error-type", error.type)]
    if error.param is not None:
        metadata.append(("error-param", quote(error.param, safe="[]._-/ ")))
    if error.retry_after_s is not None:
        metadata.append(("retry-after", str(max(1, math.ceil(error.retry_after_s)))))
    return tuple(metadata)
