"""The access log's line of a call, which a client looks for by what it was answered."""

from typing import Any

import pytest

from tests.logs import capture_every_log

from .asking import refusal, request

pytestmark = pytest.mark.anyio


async def test_each_call_has_one_line_with_names_and_numbers_and_no_text(serve: Any) -> None:
    with capture_every_log() as logs:
        async with serve(access_log=1.0) as served:
            await served.stub.Score(request("unmistakable words"), metadata=(("x-run", "a"),))
            status, *_ = await refusal(served.stub.Score(request("unmistakable words", reward="nothing")))
    lines = [line for line in logs if line["event"] == "request"]
    seconds = [line.pop("seconds") for line in lines]
    common = {"event": "request", "log_level": "info", "protocol": "grpc", "key": "anonymous"}
    assert lines == [
        common | {"route": "Score", "status": "OK", "run": "a"},
        common | {"route": "Score", "status": status},
    ]
    assert all(0 < taken < 60 for taken in seconds)
    assert "unmistakable" not in repr(logs)


async def test_no_line_is_written_at_level_info_unless_asked_for(serve: Any) -> None:
    with capture_every_log() as logs:
        async with serve() as served:
            await served.stub.Score(request("words"))
    assert [line["log_level"] for line in logs if line["event"] == "request"] == ["debug"]
