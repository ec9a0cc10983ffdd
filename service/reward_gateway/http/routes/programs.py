"""``POST /v1/programs``: reward programs under a name, checked on sample observations before they are kept."""

import contextlib
import re
from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.errors import DeadlineExceeded, InvalidRequest, PermissionDenied, Unavailable
from reward_gateway.operations.programs import check_programs
from reward_gateway.sample import Invalid
from reward_gateway.scoring.attempts import Attempt
from reward_gateway.scoring.body_digest import digest_body
from reward_gateway.scoring.effect_handlers import NO_SANDBOX
from reward_gateway.scoring.effects_runtime import EffectsRuntime, run_effects
from reward_gateway.scoring.recorded_answers import decode_results, encode_results
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.state.commits import VersionTaken
from reward_gateway.state.writes import StateWrites

from ..dependencies import deadline_of, dependencies_of, json_response, read_json
from ..openapi import IDEMPOTENCY_KEY, TENANT, describe
from ..ownership import owner_scope
from ..routing import raw_router
from ..wire.response import ProgramReport

router = raw_router("programs")

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Programs(msgspec.Struct, forbid_unknown_fields=True):
    """Two Python sources that define `sparse(observation, memory)` and `dense(observation, memory)`."""

    name: str
    sparse_src: str
    dense_src: str
    samples: list[dict[str, Any]]


@router.post(
    "/v1/programs",
    **describe(
        "Register reward programs",
        body=Programs,
        answer=ProgramReport,
        example={
            "name": "diamond",
            "sparse_src": "def sparse(observation, memory):\n    return observation['diamonds']\n",
            "dense_src": "def dense(observation, memory):\n    return -observation['distance']\n",
            "samples": [{"diamonds": 0, "distance": 12.5}, {"diamonds": 1, "distance": 0.0}],
        },
        parameters=(IDEMPOTENCY_KEY, TENANT),
    ),
)
async def register(request: Request) -> Response:
    """Run them over the samples. Programs that give a finite number for each are kept as the next version.

    The answer is a report: `valid`, `checks` (by source: `passed`, `values`, `errors`), `rewards`, and `program`, the
    name that `score/program` takes (`diamond@3`; `diamond` alone is the newest), null where they were not kept.
    """
    deps = dependencies_of(request)
    programs = await read_json(request, Programs)
    if not _NAME.fullmatch(programs.name):
        raise InvalidRequest("a name is 1 to 64 letters, digits, dots, dashes and underscores", param="name")
    if not programs.samples:
        raise InvalidRequest("give at least one observation to check the programs on", param="samples")
    runtime, deadline = deps.gateway.runtime, deadline_of(request)
    if runtime.sandbox is None:
        raise PermissionDenied(NO_SANDBOX.message)
    scope = owner_scope(request)
    store = partial(_check_and_store, runtime, programs, deadline, scope)
    address = scope.make_attempt_address("programs")
    if address is None:
        return json_response(await store())
    return json_response(
        await runtime.attempts.answer_once(address, digest_body(programs), deadline, store, decode_results)
    )


async def _check_and_store(
    runtime: EffectsRuntime,
    programs: Programs,
    deadline: float,
    scope: RequestScope,
    attempt: Attempt | None = None,
) -> dict[str, Any]:
    """Check the programs, keep them as the next version if they work, and report."""
    report = await run_effects(
        check_programs(programs.sparse_src, programs.dense_src, programs.samples),
        runtime,
        RequestContext(deadline, scope=scope),
    )
    if isinstance(report, Invalid):
        late = report.code == "deadline_exceeded"
        raise DeadlineExceeded(report.message) if late else Unavailable(report.message)
    sources = {"sparse_src": programs.sparse_src, "dense_src": programs.dense_src}
    while True:
        writes, version = StateWrites(scope.space), None
        if report.valid:
            version = await runtime.state.sets.within(scope.space).count_versions("programs", programs.name) + 1
            writes.add_set_version("programs", programs.name, version, sources)
        program = None if version is None else f"{programs.name}@{version}"
        answer = {"name": programs.name, "version": version, "program": program, **report.describe()}
        with contextlib.suppress(VersionTaken):  # by another upload in between: take the next
            await runtime.commit(writes, attempt, encode_results(answer) if attempt else b"")
            return answer
