"""Processes that compute have imported what requests name before the first one waits for it."""

from functools import partial
from typing import Any

import pytest
from reward_gateway.backends.workers.pool import WorkerPool
from reward_gateway.cli.compute import prepare_process
from reward_gateway.grpc import operation_messages
from reward_gateway.grpc.decode import read_score_message
from reward_gateway.http import encode
from reward_gateway.http.dialects.text_metrics import compute_metric
from reward_gateway.http.oip.request import serialize_infer_request
from reward_gateway.intake.batch_builder import BatchBuilder
from reward_gateway.intake.batch_reading import read_batch
from reward_gateway.intake.decode import decode_as
from reward_gateway.intake.limits import InputLimits
from reward_gateway.intake.operation_body import read_operation_body
from reward_gateway.intake.recipe_file import read_recipe_file
from reward_gateway.intake.request import ScoreRequest
from reward_gateway.operations.requests import answer_body
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.recipes.book import check_recipe_file
from reward_gateway.scoring.recorded_answers import encode_recorded
from reward_gateway.settings import Settings

pytestmark = pytest.mark.anyio

LIMITS = InputLimits(Settings())
RULE = ("score", "length_penalty")
BY_HTTP = partial(read_operation_body, 64, LIMITS)
BY_GRPC = partial(operation_messages.read_operation_message, LIMITS)
BUILDER = BatchBuilder(Settings())
SAMPLES = pb.ScoreRequest(samples=[pb.Sample(response="a")]).SerializeToString()
MESSAGE = pb.ApplyRequest(kind="score", name="length_penalty").SerializeToString()

WORK: dict[str, tuple[Any, bytes]] = {
    "a recipe file": (partial(check_recipe_file, None, partial(read_recipe_file, None)), b"rewards: {}"),
    "an operation over HTTP": (partial(answer_body, *RULE, BY_HTTP, encode.encode_results), b'{"items": []}'),
    "one that is recorded": (
        partial(answer_body, *RULE, BY_HTTP, partial(encode_recorded, encode.encode_results)),
        b'{"items": []}',
    ),
    "an operation over gRPC": (partial(answer_body, *RULE, BY_GRPC, operation_messages.encode_results), MESSAGE),
    "samples over HTTP": (partial(read_batch, partial(decode_as, ScoreRequest, 64), BUILDER), b'{"samples": []}'),
    "samples over gRPC": (partial(read_batch, partial(read_score_message, LIMITS), BUILDER), SAMPLES),
    "tensors": (partial(serialize_infer_request, None, "plain", "", 64), b'{"inputs": []}'),
    "a metric of a grader": (partial(compute_metric, "fuzzy_match", "a", "b"), b""),
}


async def test_no_request_waits_for_imports() -> None:
    pool = WorkerPool(prepare_process, processes=1)
    loaded = partial(eval, "[name for name in __import__('sys').modules if name.startswith('reward_gateway')]")
    try:
        before = await pool.run(loaded)
        assert "reward_gateway.gateway" not in before, "what computes needs no gateway"
        for what, (work, body) in WORK.items():
            await pool.run(work, body=body)
            assert set(await pool.run(loaded)) == set(before), what
    finally:
        await pool.close()
