"""The options of a request: one check, whichever entry they came over."""

import json
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from reward_gateway.errors import GatewayError, InvalidRequest
from reward_gateway.gateway import ScoreOptions
from reward_gateway.grpc.decode import decode_options
from reward_gateway.intake.decode import decode_as
from reward_gateway.intake.options import resolve_options
from reward_gateway.intake.request import ScoreRequest
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.settings import Settings

SCOPE = RequestScope("a", "", "k")
SETTINGS = Settings(default_deadline_s=5.0, max_deadline_s=9.0)


def over_http(options: dict[str, Any], *seconds: float | None) -> ScoreOptions:
    body = json.dumps({"samples": [], "options": options}).encode()
    return resolve_options(decode_as(ScoreRequest, 64, body).options, SCOPE, SETTINGS, 100.0, *seconds)


def over_grpc(options: dict[str, Any], *seconds: float | None) -> ScoreOptions:
    words = {name: f"{name}_{value}".upper() for name, value in options.items() if name in ("on_invalid", "cache")}
    message = ParseDict({**options, **words}, pb.Options())
    return resolve_options(decode_options(message), SCOPE, SETTINGS, 100.0, *seconds)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ScoreOptions(deadline=105.0, scope=SCOPE)),
        ({"cache": "refresh", "explain": False}, ScoreOptions(None, None, "refresh", False, 105.0, SCOPE)),
        ({"on_invalid": "fail", "cache": "off"}, ScoreOptions("fail", None, "off", True, 105.0, SCOPE)),
        ({"on_invalid": "default", "default_reward": 0.0}, ScoreOptions("default", 0.0, "use", True, 105.0, SCOPE)),
        ({"deadline_ms": 500.0}, ScoreOptions(deadline=100.5, scope=SCOPE)),
        ({"deadline_ms": 1e6}, ScoreOptions(deadline=109.0, scope=SCOPE)),
    ],
    ids=str,
)
def test_options_mean_the_same_over_both_entries(options: dict[str, Any], expected: ScoreOptions) -> None:
    assert over_http(options) == over_grpc(options) == expected


def test_the_smallest_deadline_holds() -> None:
    assert over_http({"deadline_ms": 500.0}, 0.25).deadline == 100.25
    assert over_grpc({"deadline_ms": 500.0}, 2.0, None).deadline == 100.5


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"on_invalid": "default"}, "options.default_reward"),
        ({"deadline_ms": 0.0}, "options.deadline_ms"),
        ({"deadline_ms": -1.0}, "options.deadline_ms"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused_alike(options: dict[str, Any], param: str) -> None:
    refusals: list[GatewayError] = []
    for entry in (over_http, over_grpc):
        with pytest.raises(InvalidRequest) as refused:
            entry(options)
        refusals.append(refused.value)
    assert [(error.message, error.param) for error in refusals] == [(refusals[0].message, param)] * 2


@pytest.mark.parametrize("name", ["on_invalid", "cache"])
def test_a_value_that_is_not_known_is_refused_alike(name: str) -> None:
    with pytest.raises(InvalidRequest) as over_json:
        over_http({name: "sometimes"})
    with pytest.raises(InvalidRequest) as over_messages:
        decode_options(pb.Options(**{name: 77}))  # type: ignore[arg-type]
    assert over_json.value.message == over_messages.value.message
    assert over_json.value.param == over_messages.value.param == f"options.{name}"
