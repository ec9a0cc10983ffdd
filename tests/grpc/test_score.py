"""Score over gRPC: what a sample may say, what a result says, and what is wrong with a message."""

import base64
import gzip
import io
from typing import Any
from urllib.parse import unquote

import grpc
import pytest
from PIL import Image
from reward_gateway.backends.workers.pool import WorkerPool
from reward_gateway.client.grpc_messages import score_request
from reward_gateway.http.app import create_app
from reward_gateway.observer import Observer
from reward_gateway.proto import reward_pb2 as pb

from tests.clock import until
from tests.contract import HttpContract
from tests.http.conftest import CONDITIONAL

from .asking import Serve, refusal, request

pytestmark = pytest.mark.anyio


def picture(width: int = 2) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (width, 2)).save(data, "PNG")
    return data.getvalue()


async def test_results_stand_in_the_order_of_the_samples(served: Any) -> None:
    answer = await served.stub.Score(request("four", "", "sixsix"))

    assert [result.reward for result in answer.results] == [4.0, 0.0, 6.0]
    assert [result.id for result in answer.results] == ["0", "1", "2"]
    assert all(result.valid for result in answer.results)
    assert answer.reward == "plain"
    assert answer.recipe_version == served.gateway.list_rewards()["rewards"][0]["version"]
    assert answer.usage.samples == 3
    assert answer.timing_ms.total >= answer.timing_ms.decode > 0


async def test_metadata_choose_the_scorer_of_a_sample(serve: Serve) -> None:
    asked = request("a bc", "a bc", "a bc")
    asked.reward = "routed"
    for sample, task in zip(asked.samples, ("letters", "words", "poem"), strict=True):
        sample.metadata.update({"task": task})
    async with serve(recipes=CONDITIONAL) as served:
        answer = await served.stub.Score(asked)
    assert [result.reward for result in answer.results] == [4.0, -2.0, 0.0]
    assert [result.valid for result in answer.results] == [True, True, False]
    assert [result.components["task"].model for result in answer.results[:2]] == ["letters", ""]
    assert answer.results[2].error.param == "metadata.task"


async def test_a_skipped_component_says_what_decided(serve: Serve) -> None:
    asked = request("abc", "a bc")
    asked.reward = "staged"
    async with serve(recipes=CONDITIONAL) as served:
        answer = await served.stub.Score(asked)
    first, second = (result.components["quality"] for result in answer.results)
    assert (first.raw, first.model, first.HasField("skipped")) == (3.0, "letters", False)
    assert (second.value, second.skipped) == (0.5, "first")
    assert not second.HasField("raw")
    assert not second.HasField("model")
    assert answer.usage.skipped == 1


async def test_a_long_message_is_decoded_in_a_worker_process(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    works: list[Any] = []
    run = WorkerPool.run

    async def record(self: WorkerPool, work: Any, *args: Any, **more: Any) -> Any:
        works.append(work)
        return await run(self, work, *args, **more)

    monkeypatch.setattr(WorkerPool, "run", record)
    short = await served.stub.Score(request("abc", None))
    assert works == []
    asked = request("abc", None)
    asked.samples[0].features["tokens"].vector.values.extend([0.0] * 50_000)
    long = await served.stub.Score(asked)
    assert len(works) == 1
    assert list(long.results) == list(short.results)
    asked.samples[0].prompt = "p" * 200_001
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.stub.Score(asked)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await served.gateway.close()


async def test_components_explain_a_reward_unless_it_is_asked_not_to(served: Any) -> None:
    answer = await served.stub.Score(request("one two three", reward="mixed"))
    brief = await served.stub.Score(request("one two three", reward="mixed", options=pb.Options(explain=False)))

    quality, brevity = (answer.results[0].components[name] for name in ("quality", "brevity"))
    assert (quality.raw, quality.value, quality.model, quality.model_version) == (13.0, 7.5, "letters", "1")
    assert brevity.raw == brevity.value == -0.25
    assert not brevity.HasField("model")
    assert not brevity.cached
    assert not brief.results[0].components
    assert brief.results[0].reward == answer.results[0].reward


async def test_a_guard_flags(served: Any) -> None:
    answer = await served.stub.Score(request("", reward="mixed"))

    assert list(answer.results[0].flags) == ["empty_response"]
    assert answer.results[0].valid


async def test_a_missing_response_is_its_own_samples_error(served: Any) -> None:
    answer = await served.stub.Score(request("four", None))

    good, bad = answer.results
    assert good.reward == 4.0
    assert not bad.valid
    assert not bad.HasField("reward")
    assert bad.error.code == "missing_field"


async def test_on_invalid_default_gives_the_callers_number_and_stays_invalid(served: Any) -> None:
    options = pb.Options(on_invalid=pb.Options.ON_INVALID_DEFAULT, default_reward=-1.5)
    answer = await served.stub.Score(request(None, options=options))

    assert answer.results[0].reward == -1.5
    assert not answer.results[0].valid


async def test_on_invalid_fail_names_the_sample(served: Any) -> None:
    options = pb.Options(on_invalid=pb.Options.ON_INVALID_FAIL)
    status, metadata, _ = await refusal(served.stub.Score(request("x", None, options=options)))

    assert status == "INVALID_ARGUMENT"
    assert metadata["error-code"] == "unscorable_sample"
    assert metadata["error-param"].startswith("samples[1]")


async def test_no_samples_give_no_results(served: Any) -> None:
    assert list((await served.stub.Score(request())).results) == []


async def test_chat_messages_are_read_as_text(served: Any) -> None:
    talk = pb.Conversation(messages=[pb.Message(role="assistant", content="four")])
    parts = pb.Conversation(
        messages=[pb.Message(role="assistant", parts=pb.Parts(parts=[pb.Part(text="fo"), pb.Part(text="ur")]))]
    )
    samples = [pb.Sample(prompt_messages=talk, response_messages=form) for form in (talk, parts)]
    answer = await served.stub.Score(pb.ScoreRequest(samples=samples))

    assert [result.reward for result in answer.results] == [4.0, 4.0]


async def test_the_published_keys_of_a_message_mean_what_they_mean_over_http(served: Any) -> None:
    turns = [
        {"role": "assistant", "content": "four", "refusal": None, "annotations": [], "tool_calls": []},
        {"role": "assistant", "content": "four", "refusal": "I will not."},
        {"role": "assistant", "content": [{"type": "text", "text": "four"}, {"type": "file", "file": {"id": 1}}]},
        {"role": "assistant", "content": "four", "function_call": {"name": "f", "arguments": "{}"}, "reasoning": "Hm."},
    ]
    answer = await served.stub.Score(score_request({"samples": [{"response": [turn]} for turn in turns]}))

    assert [result.reward for result in answer.results] == [4.0] * 4
    ignored = ["message_parts_ignored"]
    assert [list(result.flags) for result in answer.results[:3]] == [[], ignored, ignored]
    bare, _, _, (calling,) = served.models.seen[0].responses
    assert bare == "four"
    assert calling["tool_calls"] == [{"type": "function", "function": {"name": "f", "arguments": "{}"}}]
    assert calling["reasoning_content"] == "Hm."


async def test_images_come_as_bytes_as_addresses_and_in_messages(served: Any) -> None:
    url = "data:image/png;base64," + base64.b64encode(picture()).decode()
    seen = pb.Conversation(messages=[pb.Message(role="user", parts=pb.Parts(parts=[pb.Part(image_url=url)]))])
    sample = pb.Sample(prompt_messages=seen, response="r", images=[pb.Media(data=picture()), pb.Media(url=url)])
    answer = await served.stub.Score(pb.ScoreRequest(reward="looks", samples=[sample, pb.Sample(response="r")]))

    assert [result.reward for result in answer.results] == [3.0, 0.0]


@pytest.mark.parametrize(
    ("media", "code"),
    [
        (pb.Media(data=b"no image"), "invalid_media"),
        (pb.Media(url="https://images.example/a.png"), "invalid_media"),
        (pb.Media(data=picture(width=60)), "too_large"),
    ],
)
async def test_an_unusable_image_leaves_the_neighbours_alone(serve: Serve, media: pb.Media, code: str) -> None:
    async with serve(max_image_pixels=100) as served:
        samples = [pb.Sample(response="r", images=[media]), pb.Sample(response="r", images=[pb.Media(data=picture())])]
        answer = await served.stub.Score(pb.ScoreRequest(reward="looks", samples=samples))

    assert [result.valid for result in answer.results] == [False, True]
    assert answer.results[0].error.code == code


@pytest.mark.parametrize(
    ("sample", "param"),
    [
        (pb.Sample(response="r", features={"a": pb.Feature(number=float("nan"))}), "samples[0].features"),
        (pb.Sample(features={"a": pb.Feature(vector=pb.Vector(values=[float("inf")]))}), "samples[0].features"),
        (pb.Sample(response="r", features={"a": pb.Feature()}), "samples[0].features"),
        (pb.Sample(response="r", images=[pb.Media()]), "samples[0].images[0]"),
        (pb.Sample(prompt_messages=pb.Conversation(messages=[pb.Message(content="c")])), "samples[0].prompt[0].role"),
        (pb.Sample(response="r", steps=[pb.Step(text="a", score=1), pb.Step(text="b")]), "samples[0].steps[1].score"),
    ],
)  # fmt: skip
async def test_a_sample_of_the_wrong_shape_refuses_the_request(served: Any, sample: pb.Sample, param: str) -> None:
    status, metadata, message = await refusal(served.stub.Score(pb.ScoreRequest(samples=[sample])))

    assert status == "INVALID_ARGUMENT"
    assert metadata["error-code"] == "invalid_request"
    assert metadata["error-param"] == param
    assert "nan" not in message


@pytest.mark.parametrize(
    ("options", "param"),
    [
        (pb.Options(on_invalid=pb.Options.ON_INVALID_DEFAULT), "options.default_reward"),
        (pb.Options(default_reward=float("inf")), "options.default_reward"),
        (pb.Options(cache=17), "options.cache"),  # type: ignore[arg-type]
        (pb.Options(on_invalid=17), "options.on_invalid"),  # type: ignore[arg-type]
        (pb.Options(deadline_ms=0), "options.deadline_ms"),
    ],
)
async def test_options_that_make_no_sense_are_refused(served: Any, options: pb.Options, param: str) -> None:
    status, metadata, _ = await refusal(served.stub.Score(request("r", options=options)))

    assert (status, metadata["error-param"]) == ("INVALID_ARGUMENT", param)


async def test_limits_pass_their_exact_value_and_refuse_one_more(serve: Serve) -> None:
    async with serve(max_samples=2, max_text_chars=5, max_images=1, max_name_chars=3) as served:
        await served.stub.Score(request("five!", "five!"))
        image = pb.Media(data=picture())
        over = {
            "samples": request("r", "r", "r"),
            "samples[0].response": request("sixsix"),
            "samples[0].images": pb.ScoreRequest(samples=[pb.Sample(response="r", images=[image, image])]),
            "samples[0].id": pb.ScoreRequest(samples=[pb.Sample(response="r", id="four")]),
        }
        answers = {param: await refusal(served.stub.Score(message)) for param, message in over.items()}

    for param, (status, metadata, _) in answers.items():
        assert (status, metadata["error-code"]) == ("RESOURCE_EXHAUSTED", "too_large")
        assert metadata["error-param"] == param


async def test_a_message_over_the_bodys_limit_is_refused_also_where_it_is_compressed(serve: Serve) -> None:
    async with serve(max_body_bytes=20_000) as served:
        await served.stub.Score(request("a" * 19_000))
        plain, *_ = await refusal(served.stub.Score(request("a" * 21_000)))
        packed, *_ = await refusal(served.stub.Score(request("a" * 21_000), compression=grpc.Compression.Gzip))

    assert plain == packed == "RESOURCE_EXHAUSTED"


async def test_bytes_that_are_no_message_are_the_callers_error(served: Any) -> None:
    call = served.channel.unary_unary("/reward_gateway.v1.RewardService/Score")
    status, metadata, _ = await refusal(call(gzip.compress(b"rubbish")))

    assert (status, metadata["error-code"]) == ("INVALID_ARGUMENT", "malformed_body")


async def test_every_call_is_counted_by_method_and_status(serve: Serve) -> None:
    counted: list[tuple[str, str, str]] = []

    class Counter(Observer):
        def request_answered(self, protocol: str, route: str, status: str, seconds: float, trace_id: str = "") -> None:
            if seconds >= 0:
                counted.append((protocol, route, status))

    async with serve(Counter()) as served:
        await served.stub.Score(request("four"))
        await refusal(served.stub.Score(request("four", reward="nothing")))
        await until(lambda: len(counted) == 2)  # a call is counted after it was answered

    assert counted == [("grpc", "Score", "OK"), ("grpc", "Score", "NOT_FOUND")]


async def test_grpc_and_http_give_the_same_answer(served: Any) -> None:
    texts = ["", "one", "one two three four", "ünïcödé 🎈"]
    bodies = [{"prompt": "p", "response": text, "group": "g", "features": {"f": 0.5}} for text in texts] + [
        {"prompt": "p"}
    ]
    samples = [
        pb.Sample(prompt="p", response=text, group="g", features={"f": pb.Feature(number=0.5)}) for text in texts
    ] + [pb.Sample(prompt="p")]
    async with HttpContract(create_app(served.gateway, served.settings)).client() as client:
        for reward in ("plain", "mixed"):
            over_http = (await client.post("/v1/score", json={"reward": reward, "samples": bodies})).json()
            over_grpc = await served.stub.Score(pb.ScoreRequest(reward=reward, samples=samples))

            assert over_grpc.recipe_version == over_http["recipe_version"]
            for one, other in zip(over_grpc.results, over_http["results"], strict=True):
                assert (one.reward if one.HasField("reward") else None) == other["reward"]
                assert (one.id, one.valid, list(one.flags)) == (other["id"], other["valid"], other["flags"])
                assert (one.error.code or None) == (other["error"] and other["error"]["code"])
                assert (one.error.message or None) == (other["error"] and other["error"]["message"])
                for name, component in other["components"].items():
                    mine = one.components[name]
                    assert (mine.value if mine.HasField("value") else None) == component["value"]


async def test_reasoning_is_no_answer_and_the_best_of_several_references_counts(served: Any) -> None:
    responses = ["<think>\n5\n</think>\n4", "four", "<think>\n4\n</think>\n5", "<think>\n4"]
    samples = [pb.Sample(prompt="2 + 2?", response=text, references=["four", "4"]) for text in responses]
    answer = await served.stub.Score(pb.ScoreRequest(reward="right", samples=samples))
    assert [result.reward for result in answer.results] == [1.0, 1.0, 0.0, 0.0]


async def test_a_rubric_is_read_and_its_fault_named(served: Any) -> None:
    good = pb.Criterion(text="Is short.", tags=["style"], veto=True)
    samples = [pb.Sample(prompt="p", response="r"), pb.Sample(prompt="p", response="r", rubric=[good])]
    await served.stub.Score(pb.ScoreRequest(samples=samples))
    samples[0].rubric.extend([good, pb.Criterion(weight=1)])
    status, metadata, _ = await refusal(served.stub.Score(pb.ScoreRequest(samples=samples)))

    (batch,) = served.models.seen
    assert batch.column("rubric") == [None, [{"text": "Is short.", "weight": 1.0, "tags": ["style"], "veto": True}]]
    assert (status, unquote(metadata["error-param"])) == ("INVALID_ARGUMENT", "samples[0].rubric[1].text")
