"""From a body to a batch in one function, which a worker process can run. Imports little: it is loaded there."""

from collections.abc import Callable

from reward_gateway.errors import GatewayError
from reward_gateway.sample import Batch

from .batch_builder import BatchBuilder
from .request import ScoreRequest

ReadScore = Callable[[bytes], ScoreRequest]
"""Decodes a body to a request; can be pickled. Raises GatewayError for a body that is none."""


def read_batch(read: ReadScore, batches: BatchBuilder, body: bytes) -> tuple[ScoreRequest, Batch | GatewayError]:
    """A request without its samples, and their batch, or what is wrong with them. Raises what ``read`` raises."""
    request = read(body)
    samples, request.samples = request.samples, []
    try:
        return request, batches.build(samples, len(body))
    except GatewayError as error:  # raised after what is wrong with the options, as for a small body
        return request, error
