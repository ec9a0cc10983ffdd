"""Logs: one line an event, the request's id on it, and no word of an exception's message."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from reward_gateway.settings import Settings
from reward_gateway.telemetry.logs import MOST_KINDS, RepeatLimiter, configure_logging, describe_exception
from structlog.contextvars import bound_contextvars

from tests.service_code import imported_by, reachable_modules

CANARY = "CANARY-2719"
LIBRARIES = ("httpcore.http11", "httpcore", "httpx", "PIL.PngImagePlugin", "PIL")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Logging as it was, afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before, level
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()


def fail() -> None:
    raise ValueError(f"cannot read {CANARY}")


def test_a_line_is_one_json_object_with_the_requests_id(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_json=True))
    with bound_contextvars(request_id="r-1"):
        structlog.get_logger("a").info("request", route="/v1/score", status=200)
        logging.getLogger("library").warning("beside it")
    structlog.get_logger("a").info("outside")
    first, beside, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["event"], first["request_id"], first["route"], first["level"]) == (
        "request",
        "r-1",
        "/v1/score",
        "info",
    )
    assert beside["request_id"] == "r-1", "a library's line belongs to the request that it was written for"
    assert "request_id" not in second


def test_only_structlog_is_written_to() -> None:
    """Third parties' records are routed by telemetry/logs.py; a trainer's environment has no structlog."""
    users = {module for module in reachable_modules() if "logging" in imported_by(module)}
    ours = {module for module in users if not module.startswith("reward_gateway.client.")}
    assert ours == {
        "reward_gateway.telemetry.logs",
        "reward_gateway.backends.math.comparison",  # it silences its library, which logs the texts
        "reward_gateway.http.websocket_connection",  # it quiets its base, which logs the paths as they were sent
    }


@pytest.mark.parametrize("as_json", [True, False])
def test_an_exception_is_named_and_placed_and_never_quoted(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    configure_logging(Settings(log_json=as_json))
    for log in (structlog.get_logger("ours").exception, logging.getLogger("uvicorn.error").exception):
        try:
            fail()
        except ValueError:
            log("failed")
    text = capsys.readouterr().err
    assert text.count("ValueError") == 2
    assert "test_logs.py" in text
    assert CANARY not in text
    assert "/" + "tests" not in text


def test_the_level_holds_for_ours_and_for_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_level="warning", log_json=True))
    structlog.get_logger("a").info("quiet")
    logging.getLogger("library").info("quiet")
    logging.getLogger("library").warning("heard")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["heard"]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="log_level"):
        Settings.model_validate({"log_level": "loud"})


def test_an_exception_is_described_by_its_class_and_its_places() -> None:
    try:
        fail()
    except ValueError as error:
        said = describe_exception(error)
    assert said["error"] == "ValueError"
    assert said["at"].endswith("fail")
    assert CANARY not in str(said)


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_that_quote_addresses_and_files_are_heard_of_warnings_alone(
    library: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(Settings(log_level="debug"))
    logging.getLogger(library).debug("connect to %s", CANARY)
    logging.getLogger(library).info("GET %s", CANARY)
    logging.getLogger("another").debug("shown")
    said = capsys.readouterr().err
    assert CANARY not in said
    assert "shown" in said


def test_of_many_events_of_a_kind_the_first_is_written_then_one_now_and_then_with_how_many_were_left_out() -> None:
    now = 0.0
    limiter = RepeatLimiter(every_s=5.0, clock=lambda: now)

    def written(event: str, kind: object) -> dict[str, object] | None:
        try:
            return dict(limiter(None, "warning", {"event": event, "once_per": kind}))
        except structlog.DropEvent:
            return None

    assert written("request", ("/v1/score", "503")) == {"event": "request"}
    assert written("request", ("/v1/score", "504")) == {"event": "request"}, "another kind"
    for _ in range(3):
        now += 1.0
        assert written("request", ("/v1/score", "503")) is None
    now = 5.0
    assert written("request", ("/v1/score", "503")) == {"event": "request", "suppressed": 3}
    now = 10.0
    assert written("request", ("/v1/score", "503")) == {"event": "request"}
    for kind in range(2 * MOST_KINDS):
        written("request", kind)
    assert len(limiter._kinds) <= MOST_KINDS


def test_an_event_that_is_left_out_leaves_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_json=True))
    for status in ("503", "503", "504"):
        structlog.get_logger("a").warning("request", status=status, once_per=status)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["status"] for line in lines] == ["503", "504"]
    assert "once_per" not in lines[0]
