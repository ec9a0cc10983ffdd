"""An engine in a process of its own: numbers come back, and whatever happens to it is an error and never a number."""

import gc
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import psutil
import pytest
from reward_models.runtime.engine import EngineProcess, find_python
from reward_models.runtime.reading import RowError

from tests.models.convert.engines.arithmetic_engine import EXIT, HANG, KILL, LARGE, NOT_A_NUMBER, RAISE
from tests.models.convert.engines.conftest import Start, row


def outcomes(engine: EngineProcess, *rows: Sequence[int]) -> list[Any]:
    """Numbers, and errors as texts."""
    given = engine.score_rows([row(*ids) for ids in rows])
    return [str(each) if isinstance(each, RowError) else each.tolist() for each in given]


def wait_until_it_answers(engine: EngineProcess) -> list[Any]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = outcomes(engine, [1, 2])
        if not isinstance(found[0], str):
            return found
        assert found[0].startswith("unavailable: ")
        time.sleep(0.1)
    raise AssertionError("it was not started again")


def test_rows_have_their_numbers_in_their_order_and_equal_rows_are_run_once(start: Start) -> None:
    engine = start()
    assert outcomes(engine, [5, 6, 7], [1], [5, 6, 7], [2, 2]) == [[18], [1], [18], [4]]
    assert engine.score_rows([]) == []
    engine.close()


def test_messages_longer_than_a_pipe_holds_arrive_whole(start: Start) -> None:
    engine = start()
    rows = [list(range(length)) for length in range(1, 400)]
    assert outcomes(engine, *rows) == [[sum(ids)] for ids in rows]
    engine.close()


class TestFailures:
    def test_memory_that_ends_is_a_row_s_error(self, start: Start) -> None:
        engine = start(token_budget=100)
        given = outcomes(engine, [1, 2], [3, LARGE], [4])
        assert given == [[3], "overloaded: No memory was left for a text of 2 tokens; try again later.", [4]]
        engine.close()

    def test_a_number_that_is_not_finite_is_an_error(self, start: Start) -> None:
        engine = start()
        given = outcomes(engine, [1], [NOT_A_NUMBER])
        assert given == [[1], "model_error: The network gave a number that is not finite."]
        engine.close()

    def test_a_failure_of_the_network_fails_the_call_and_quotes_nothing(self, start: Start) -> None:
        engine = start()
        with pytest.raises(RuntimeError, match=r"^The engine torch failed: RuntimeError$"):
            outcomes(engine, [RAISE])
        assert outcomes(engine, [7]) == [[7]]
        engine.close()

    @pytest.mark.parametrize(
        ("ids", "error"),
        [
            (KILL, "overloaded: The engine torch was killed, as when memory runs out; try again later."),
            (EXIT, "unavailable: The engine torch ended (status 3); try again later."),
        ],
    )
    def test_a_process_that_ends_is_started_again(self, start: Start, ids: int, error: str) -> None:
        engine = start()
        assert outcomes(engine, [ids], [1]) == [error, error]
        assert wait_until_it_answers(engine) == [[3]]
        engine.close()

    def test_a_process_that_hangs_is_ended_and_started_again(self, start: Start) -> None:
        engine = start(answer_s=1)
        assert outcomes(engine, [HANG]) == ["unavailable: The engine torch gave no answer within 1 s; try again later."]
        assert wait_until_it_answers(engine) == [[3]]
        engine.close()


class TestStart:
    def test_a_checkpoint_that_does_not_load_says_why(self, start: Start) -> None:
        with pytest.raises(RuntimeError, match=r"^The engine torch does not start: ValueError: no such weights$"):
            start({"refuse": "no such weights"})

    def test_an_interpreter_that_is_none_says_how_it_ended(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REWARD_MODELS_TORCH_PYTHON", "/bin/false")
        with pytest.raises(RuntimeError, match=r"^The engine torch ended while it started \(status 1\).$"):
            start()

    def test_no_process_is_left_when_the_model_is_unloaded(self, start: Start) -> None:
        engine = start()
        assert engine._process is not None
        pid = engine._process.pid
        del engine
        gc.collect()
        assert not psutil.pid_exists(pid)

    def test_without_an_environment_it_says_what_to_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in ("REWARD_MODELS_TORCH_PYTHON", "REWARD_MODELS_CONVERT_PYTHON"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setattr("reward_models.runtime.engine.Path.is_file", lambda path: False)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(RuntimeError, match=r"set REWARD_MODELS_TORCH_PYTHON to one .`make convert` makes it"):
            find_python("torch")


def test_a_token_s_number_keeps_float32(start: Start) -> None:
    engine = start()
    (found,) = engine.score_rows([row(1, 2)])
    assert not isinstance(found, RowError)
    assert found.dtype == np.float32
    engine.close()
