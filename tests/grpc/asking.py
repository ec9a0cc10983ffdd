"""Requests over gRPC as the tests of Score send them, and what a call that fails says."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc
import pytest
from reward_gateway.proto import reward_pb2 as pb

Serve = Callable[..., AbstractAsyncContextManager[Any]]


def request(*responses: str | None, **more: Any) -> pb.ScoreRequest:
    samples = [
        pb.Sample(prompt="p", response=text) if text is not None else pb.Sample(prompt="p") for text in responses
    ]
    return pb.ScoreRequest(samples=samples, **more)


async def refusal(call: Coroutine[Any, Any, Any]) -> tuple[str, dict[str, Any], str]:
    """Status, trailing metadata and message of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error: Any = caught.value
    return error.code().name, dict(error.trailing_metadata() or ()), error.details() or ""
