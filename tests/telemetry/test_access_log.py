"""The access log: one line per request, of names and numbers, for the share that is asked for."""

import json
import logging
import random
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from reward_gateway.settings import Settings
from reward_gateway.telemetry.access_log import AccessLog
from reward_gateway.telemetry.logs import configure_logging


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    """Reads the lines that were logged since."""
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Logging as it was, afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before, level
    structlog.reset_defaults()


def access_log(share: float, source: random.Random | None = None) -> AccessLog:
    """An access log that writes JSON."""
    configure_logging(Settings(log_json=True))
    return AccessLog(share, source)


def write(log: AccessLog, status: str = "200", **changed: Any) -> None:
    given: dict[str, Any] = {"failed": status >= "500", "key": "trainer", "run": "", "trace_id": ""}
    log.write("http", "/v1/score", status, 0.25, **given | changed)


def test_a_line_has_what_is_known_of_the_request_and_no_more(lines: Any) -> None:
    log = access_log(1.0)
    write(log, run="r-1", trace_id="ab")
    write(log)
    full, bare = lines()
    common: dict[str, Any] = {
        "event": "request",
        "level": "info",
        "protocol": "http",
        "route": "/v1/score",
        "status": "200",
    }
    common |= {"seconds": 0.25, "key": "trainer"}
    assert {name: full[name] for name in full if name != "timestamp"} == common | {"run": "r-1", "trace_id": "ab"}
    assert {name: bare[name] for name in bare if name != "timestamp"} == common


def test_the_share_is_that_of_the_requests_that_are_written(lines: Any) -> None:
    sampled = access_log(0.1, random.Random(0))
    for _ in range(2000):
        write(sampled)
    assert 150 <= len(lines()) <= 250


def test_by_default_none_is_written_but_failures_are_once_in_a_while(lines: Any) -> None:
    quiet = access_log(Settings().access_log)
    for status in ("200", "422", "503", "503"):
        write(quiet, status)
    assert [(line["status"], line["level"]) for line in lines()] == [("503", "warning")]


def test_where_every_request_is_asked_for_every_failure_is_written(lines: Any) -> None:
    log = access_log(1.0)
    for _ in range(3):
        write(log, "503")
    assert [line["level"] for line in lines()] == ["warning"] * 3


def test_probes_and_scrapes_are_left_out(lines: Any) -> None:
    write(access_log(1.0), probe=True)
    assert lines() == []


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_is_between_0_and_1(share: float) -> None:
    with pytest.raises(ValueError, match="access_log"):
        Settings(access_log=share)
