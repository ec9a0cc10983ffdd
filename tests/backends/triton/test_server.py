"""Scores of real models on a real Triton: what is asked arrives, what is said comes back, faults have their reasons."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from reward_gateway.backends.call_sizes import FIRST_ROWS
from reward_gateway.backends.port import ModelAnswer
from reward_gateway.backends.triton.servers import TritonServers
from reward_gateway.errors import ModelUnavailable, NotFound
from reward_gateway.observer import Observer
from reward_gateway.sample import Batch, Media, Text

from tests.backends.triton.opening import open_tritons
from tests.ports import free_port

if TYPE_CHECKING:
    from tests.backends.conftest import Triton

from tests.clock import Clock, turns, until

pytestmark = pytest.mark.anyio


def batch_of(responses: list[Any], prompts: list[Text] | None = None, **columns: Any) -> Batch:
    return Batch([str(i) for i in range(len(responses))], prompts or [""] * len(responses), responses, **columns)


async def ask(server: TritonServers, model: str, batch: Batch, seconds: float = 120.0) -> ModelAnswer:
    deadline = asyncio.get_running_loop().time() + seconds
    return await server.score(model, batch, list(range(batch.size)), deadline)


def codes(answer: ModelAnswer) -> dict[int, str]:
    return {row: reason.code for row, reason in answer.invalid.items()}


class CallSizes(Observer):
    """Keeps the number of rows of each infer call."""

    def __init__(self) -> None:
        self.started: list[int] = []

    def model_call_started(self, model: str, rows: int) -> None:
        self.started.append(rows)


class TestWhatAModelSaysOfItself:
    async def test_everything_comes_from_its_configuration(self, models: TritonServers) -> None:
        info = await models.info("counting")
        assert (info.version, info.ready, info.max_batch) == ("1-a", True, 64)
        assert info.inputs == ("prompt", "response")
        assert info.dimensions == ("prompt", "response")
        assert info.card == {"summary": "counts characters"}

    async def test_a_bare_model_needs_no_parameters(self, models: TritonServers) -> None:
        info = await models.info("bare")
        assert (info.version, info.dimensions, info.flags, info.card) == ("1", ("score",), (), {})
        assert (await ask(models, "bare", batch_of(["four"]))).values.tolist() == [[4.0]]

    async def test_models_that_are_not_loaded_are_listed_as_not_ready(self, models: TritonServers) -> None:
        listed = {info.name: info.ready for info in await models.models()}
        assert listed == {"spare": False} | dict.fromkeys(("counting", "fields", "bare", "tokens", "narrow"), True)
        with pytest.raises(ModelUnavailable, match="spare"):
            await models.info("spare")

    async def test_an_unknown_model_is_not_found(self, models: TritonServers) -> None:
        with pytest.raises(NotFound, match="nowhere"):
            await models.info("nowhere")
        assert codes(await ask(models, "nowhere", batch_of(["a"]))) == {0: "model_unavailable"}

    async def test_a_model_of_another_kind_is_refused_with_the_reason(self, models: TritonServers) -> None:
        answer = await ask(models, "tokens", batch_of(["a", "b"]))
        assert codes(answer) == {0: "model_error", 1: "model_error"}
        assert "does not follow the contract of a reward model" in answer.invalid[0].message
        assert np.isnan(answer.values).all()


class TestScores:
    async def test_rows_keep_their_order_and_only_those_asked_are_scored(self, models: TritonServers) -> None:
        batch = batch_of([str(i) for i in range(500)], ["p" * i for i in range(500)])
        rows = list(range(499, -1, -3))
        answer = await models.score("counting", batch, rows, asyncio.get_running_loop().time() + 120)
        assert answer.values.tolist() == [[row, row] for row in rows]
        assert answer.invalid == {}
        assert answer.version == "1-a"

    async def test_a_batch_larger_than_the_model_takes_is_cut(self, models: TritonServers) -> None:
        answer = await ask(models, "bare", batch_of(["x" * i for i in range(50)]))
        assert answer.values[:, 0].tolist() == list(range(50))
        assert answer.calls == 7  # of at most 8 rows

    async def test_no_rows_are_no_call(self, models: TritonServers) -> None:
        answer = await models.score("counting", batch_of(["a"]), [], asyncio.get_running_loop().time() + 5)
        assert answer.values.shape == (0, 2)
        assert answer.calls == 0

    async def test_unicode_and_lone_surrogates_arrive(self, models: TritonServers) -> None:
        answer = await ask(models, "counting", batch_of(["日本語🥚", "\ud83d", ""]))
        assert answer.values[:, 1].tolist() == [4, 1, 0]

    async def test_one_sample_requests_at_the_same_time_travel_together(self, triton_server: "Triton") -> None:
        calls = CallSizes()
        # The directory is never renewed, so that no request waits for a lookup while others pass it.
        models = open_tritons(triton_server.url, info_ttl_s=3600, observer=calls, max_in_flight_s=3600)
        await models.info("counting")
        before = triton_server.executions("counting")
        answers = await asyncio.gather(*(ask(models, "counting", batch_of([str(i)]), 120) for i in range(300)))
        await models.close()
        assert [answer.values[0, 1] for answer in answers] == list(range(300))
        assert sum(calls.started) == 300
        assert len(calls.started) <= 1 + 300 // FIRST_ROWS
        assert max(calls.started) <= 64  # which is the model's maximum
        assert triton_server.executions("counting") - before <= len(calls.started)


class TestFaultsOfASample:
    async def test_each_bad_row_has_its_reason_and_its_neighbours_a_score(self, models: TritonServers) -> None:
        answer = await ask(models, "counting", batch_of(["7", "nan", "bad", "odd", None, "8"]))
        assert codes(answer) == {1: "not_finite", 2: "invalid_media", 3: "model_error", 4: "missing_field"}
        assert answer.invalid[2].message == "It is no picture."
        assert answer.invalid[4].param == "response"
        assert answer.values[[0, 5], 1].tolist() == [7, 8]
        assert np.isnan(answer.values[1:5]).all()

    async def test_flags_have_the_names_of_the_configuration(self, models: TritonServers) -> None:
        answer = await ask(models, "counting", batch_of(["a", "cut"]))
        assert answer.flags == {1: ("truncated", "out_of_distribution")}

    async def test_a_row_on_which_the_model_fails_as_a_whole_is_found(self, models: TritonServers) -> None:
        answer = await ask(models, "counting", batch_of([*(str(i) for i in range(40)), "raise", "41"]))
        assert codes(answer) == {40: "model_error"}
        assert answer.values[np.arange(42) != 40, 1].tolist() == [*range(40), 41]

    async def test_an_exception_is_named_and_never_quoted(self, models: TritonServers) -> None:
        answer = await ask(models, "counting", batch_of(["raise"]))
        assert "ValueError" in answer.invalid[0].message
        assert "secret" not in answer.invalid[0].message

    async def test_a_poisoned_request_leaves_the_others_alone(self, models: TritonServers) -> None:
        poisoned, *others = await asyncio.gather(
            ask(models, "counting", batch_of(["raise"])),
            *(ask(models, "counting", batch_of([str(i)])) for i in range(20)),
        )
        assert codes(poisoned) == {0: "model_error"}
        assert [answer.values[0, 1] for answer in others] == list(range(20))


class TestFields:
    async def test_each_field_arrives_where_the_model_reads_it(self, models: TritonServers) -> None:
        batch = batch_of(
            ["four", "", "four"],
            ["prompt", "", ""],
            references=["ref", None, None],
            images=[[Media(b"12345")], [Media(b""), Media(b"1")], []],
            features=[{"x": 0.5}, {}, {}],
            steps=[["one", "two"], None, []],
        )
        answer = await ask(models, "fields", batch)
        assert answer.values[0].tolist() == [
            6,
            4,
            0,
            3,
            len(b"\x91\xc4\x05") + 5,
            0.5,
            len(b"\x92\xc4\x03one\xc4\x03two"),
        ]
        assert answer.values[1].tolist() == [0, 0, 0, 0, len(b"\x92\xc4\x00\xc4\x01") + 1, -1, 0]
        assert codes(answer) == {2: "missing_field"}
        assert answer.invalid[2].param == "images"

    async def test_media_that_were_not_fetched_are_invalid(self, models: TritonServers) -> None:
        batch = batch_of(["a"], images=[[Media(b"1"), Media(url="https://example.org/a.png")]])
        answer = await ask(models, "fields", batch)
        assert (answer.invalid[0].code, answer.invalid[0].param) == ("invalid_media", "images[1]")

    async def test_chat_goes_as_messages_beside_plain_rows(self, models: TritonServers) -> None:
        chat: Text = [{"role": "user", "content": "hi"}]
        trajectory: Text = [{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]
        picture = [[Media(b"1")]] * 3
        answer = await ask(
            models, "fields", batch_of(["yes", "no", trajectory], [chat, "plain", "ask"], images=picture)
        )
        assert answer.values[:, :3].tolist() == [[0, 0, 2], [5, 2, 0], [0, 0, 3]]

    async def test_chat_is_flattened_for_a_model_that_reads_text(self, models: TritonServers) -> None:
        talk: Text = [
            {"role": "system", "content": "be"},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        ]
        answer = await ask(models, "counting", batch_of(["yes"], [talk]))
        assert answer.values[0].tolist() == [len("system: be\nuser: hi"), 3]


class TestTime:
    async def test_a_late_row_is_deadline_exceeded_and_an_early_one_keeps_its_score(
        self, triton_server: "Triton", clock: Clock
    ) -> None:
        calls = CallSizes()
        models = open_tritons(triton_server.url, max_infer_calls=1, observer=calls, max_in_flight_s=3600)
        responses = [*(str(i) for i in range(64)), "sleep 1.5", *(["9"] * 63)]
        await models.info("counting")
        asking = asyncio.ensure_future(ask(models, "counting", batch_of(responses), 3600))
        await until(lambda: sum(calls.started) > 64)  # those before the last are answered
        await clock.advance(3601)
        answer = await asking
        await models.close()
        answered = sum(calls.started[:-1])
        assert 0 < answered <= 64
        assert answer.values[:answered, 1].tolist() == list(range(answered))
        assert set(codes(answer).items()) == {(row, "deadline_exceeded") for row in range(answered, 128)}

    async def test_a_passed_deadline_asks_nothing(self, models: TritonServers) -> None:
        answer = await ask(models, "counting", batch_of(["a"]), -1)
        assert (codes(answer), answer.calls) == ({0: "deadline_exceeded"}, 0)

    async def test_a_cancelled_request_costs_the_others_nothing(self, models: TritonServers) -> None:
        await models.info("counting")
        gone = asyncio.ensure_future(ask(models, "counting", batch_of(["sleep 0.3", *(["9"] * 63)])))
        await turns()  # it is out
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone
        assert (await ask(models, "counting", batch_of(["5"]))).values[0, 1] == 5


class TestAServerThatChanges:
    async def test_a_full_queue_of_the_model_is_overloaded(self, models: TritonServers) -> None:
        answer = await ask(models, "narrow", batch_of(["sleep 1.0"] * 6))
        said = codes(answer)
        assert set(said.values()) == {"overloaded"}
        assert 0 < len(said) < 6
        assert (~np.isnan(answer.values[:, 1])).sum() == 6 - len(said)

    async def test_a_model_that_is_loaded_anew_has_its_new_version_soon(
        self, models: TritonServers, triton_server: "Triton"
    ) -> None:
        assert (await models.info("counting")).version == "1-a"
        write_counting = triton_server.write_counting
        write_counting("b")
        try:
            triton_server.load("counting")
            while (await models.info("counting")).version != "1-b":
                await asyncio.sleep(0.02)
            assert (await ask(models, "counting", batch_of(["1"]))).version == "1-b"
        finally:
            write_counting("a")
            triton_server.load("counting")

    async def test_a_killed_server_costs_clear_reasons_until_it_is_back(
        self, models: TritonServers, triton_server: "Triton"
    ) -> None:
        assert (await ask(models, "counting", batch_of(["1"]))).invalid == {}
        under_way = asyncio.ensure_future(ask(models, "counting", batch_of(["sleep 60"]), 3600))
        await turns()  # it is out
        triton_server.kill()
        try:
            assert codes(await under_way) == {0: "model_unavailable"}
            # Said at once: after an hour it would be that the deadline passed.
            said = codes(await ask(models, "counting", batch_of(["1", "2"]), 3600))
            assert said == dict.fromkeys(range(2), "model_unavailable")
            with pytest.raises(ModelUnavailable):
                await models.models()
            known = await models.info("counting")
            assert (known.version, known.ready) == ("1-a", False)
        finally:
            await asyncio.to_thread(triton_server.start)
        while codes(answer := await ask(models, "counting", batch_of(["1"]))):
            await asyncio.sleep(0.05)
        assert answer.values[0, 1] == 1

    async def test_nothing_there_is_model_unavailable(self) -> None:
        server = open_tritons(f"127.0.0.1:{free_port()}")
        with pytest.raises(ModelUnavailable):
            await server.models()
        with pytest.raises(ModelUnavailable):
            await server.info("counting")
        assert codes(await ask(server, "counting", batch_of(["1"]))) == {0: "model_unavailable"}
        await server.close()


async def test_a_server_that_does_not_answer_is_told_of_also_while_nothing_is_scored() -> None:
    told: list[tuple[str, bool | None]] = []

    class Checked(Observer):
        def triton_checked(self, server: str, reachable: bool | None) -> None:
            told.append((server, reachable))

    url = f"127.0.0.1:{free_port()}"
    server = open_tritons(url, observer=Checked())
    await server.check()
    await server.close()
    assert told == [(url, False), (url, None)]
