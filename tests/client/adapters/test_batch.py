"""The synchronous batch function, and the helpers of frameworks that need nothing of theirs to be called."""

import inspect
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from reward_gateway.client.adapters import agent_lightning, art, batch, hatchery, langsmith, rewardbench, rllm, tunix
from reward_gateway.client.adapters.service import Unscored
from reward_gateway.errors import InvalidRequest, NotFound, Unavailable, Unscorable

from tests.client.conftest import Service

pytestmark = pytest.mark.anyio


@pytest.fixture
def right(monkeypatch: pytest.MonkeyPatch, service: Service) -> Service:
    """The recipe that compares with the reference, by the environment."""
    monkeypatch.setenv("REWARD_GATEWAY_REWARD", "right")
    return service


def test_a_batch_is_scored_in_one_request_in_its_order(right: Service) -> None:
    rewards = batch.score(prompts=["p", "q", "r"], completions=["42", "41", "4 2"], answer=["42", 42, "4 2"])
    assert rewards == [1.0, 0.0, 0.5]
    assert [path for path, _ in right.requests].count("/v1/score") == 1


def test_a_sample_without_a_score_is_none_and_its_neighbours_are_scored(right: Service) -> None:
    assert batch.score(["p", "q", "r"], ["42"] * 3, ground_truth=["42", None, "41"]) == [1.0, None, 0.0]


def test_a_trainer_that_makes_a_number_of_none_gets_all_scores_or_an_error(right: Service) -> None:
    assert batch.score_all(["p", "q"], ["42", "4 2"], answer=["42", "4 2"]) == [1.0, 0.5]
    with pytest.raises(Unscored, match="missing_field"):
        batch.score_all(["p", "q"], ["42", "42"], answer=["42", None])


def test_messages_score_as_their_texts(right: Service) -> None:
    prompt = [{"role": "user", "content": "p"}]
    completion = [{"role": "assistant", "content": "42"}]
    assert batch.score([prompt], [completion], solution=["42"]) == [1.0]


def test_a_service_that_is_away_or_knows_no_such_recipe_raises(nobody: str, running_trainers: Service) -> None:
    with pytest.raises(Unavailable):
        batch.score(["p"], ["a"])


def test_an_unknown_recipe_raises(service: Service) -> None:
    with pytest.raises(NotFound):
        batch.wrong(["p"], ["a"])


def test_a_busy_service_is_asked_again(right: Service) -> None:
    right.refusals.append((503, {"retry-after": "0"}))
    assert batch.score(["p"], ["42"], answer=["42"]) == [1.0]


def test_hatcherys_texts_are_the_conversation_that_they_render_with_the_ground_truth_apart(right: Service) -> None:
    rendered = "<|im_start|>user\n6 times 7?<|gold|> 42 <|/gold|><|im_end|>\n<|im_start|>assistant\n"
    plain = "<|im_start|>user\nHm?<|im_end|>\n<|im_start|>assistant\n"
    assert hatchery.score([rendered, rendered], ["42<|im_end|>", "4 2<|im_end|>"]) == [1.0, -0.5]
    assert hatchery.brief([plain], ["so it is<|im_end|>"]) == [-1.0]


def test_hatchery_stops_where_a_sample_has_no_score(right: Service) -> None:
    rendered = "6 times 7?<|gold|>42<|/gold|>"
    with pytest.raises(Unscorable, match=r"samples\[1\].reference"):
        hatchery.score([rendered, "6 times 7?"], ["42", "42"])


@pytest.mark.parametrize("module", [batch, hatchery])
def test_a_dotted_path_finds_two_parameters_and_a_name(module: Any) -> None:
    for function in (module.score, module.brief):
        assert list(inspect.signature(function).parameters)[:2] == ["prompts", "completions"]
    assert module.brief.__name__ == "brief"
    assert not hasattr(module, "_private")


def test_tunix_finds_one_function_which_raises_where_tunix_would_train_on_zero(right: Service) -> None:
    public = [
        member
        for name, member in inspect.getmembers(tunix, inspect.isfunction)
        if not name.startswith("_") and member.__module__ == tunix.__name__
    ]
    assert public == [tunix.reward]
    assert tunix.reward(prompts=["p", "q"], completions=["42", "41"], answer=["42", "42"]) == [1.0, 0.0]
    with pytest.raises(Unscored, match="missing_field"):
        tunix.reward(prompts=["p", "q"], completions=["42", "41"], answer=["42", None])


def test_rllm_gets_its_reward_output(right: Service) -> None:
    task = {"question": "6*7?", "ground_truth": "42", "data_source": "d"}
    assert rllm.reward(task_info=task, action="42") == rllm.RewardOutput(reward=1.0, is_correct=True)
    assert rllm.make_reward("right", right.url)(task, "41").is_correct is False
    with pytest.raises(Unscored, match="missing_field"):
        rllm.reward({"question": "6*7?"}, "42")


async def test_agent_lightning_gets_a_number(right: Service) -> None:
    assert await agent_lightning.reward({"question": "6*7?", "answer": 42}, "42") == 1.0
    assert await agent_lightning.reward("6*7?", "one two", recipe="brief") == -0.5
    with pytest.raises(Unscored):
        await agent_lightning.reward("6*7?", "42")


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str | None, Any]]]:
    """The key and body of every event that is posted where Agent-lightning tells its agents to."""
    posted: list[tuple[str | None, Any]] = []

    class Events(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            posted.append((self.headers["authorization"], body))
            self.send_response(200 if body["data"]["value"] else 500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Events)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AGL_EVENT_URL", f"http://127.0.0.1:{server.server_address[1]}/events")
    monkeypatch.setenv("AGL_KEY", "secret")
    yield posted
    server.shutdown()
    server.server_close()
    thread.join()


async def test_agent_lightning_is_told_the_reward_of_a_rollout_and_nothing_where_there_is_none(
    right: Service, events: list[tuple[str | None, Any]]
) -> None:
    assert await agent_lightning.report({"question": "6*7?", "answer": 42}, "42") == 1.0
    assert events == [("Bearer secret", {"event_type": "reward", "data": {"value": 1.0, "source": "agent"}})]
    with pytest.raises(Unscored):
        await agent_lightning.report("6*7?", "42")
    assert len(events) == 1
    with pytest.raises(httpx.HTTPStatusError):  # a report that is not taken is no reward
        await agent_lightning.report({"question": "6*7?", "answer": 42}, "41")


def trajectory(text: str, **metadata: Any) -> Any:
    """The fields of ART's Trajectory that count here."""
    turns = [{"role": "user", "content": "6*7?"}, {"role": "assistant", "content": text}]
    return SimpleNamespace(messages=lambda: turns, metadata=metadata, metrics={}, reward=0.0)


def group_of(*trajectories: Any, **metadata: Any) -> Any:
    return SimpleNamespace(trajectories=list(trajectories), metadata=metadata, logs=[])


async def test_art_gets_the_group_in_one_request_without_what_has_no_score(right: Service) -> None:
    group = group_of(trajectory("42", answer="42"), trajectory("42"), trajectory("41", answer="42"))
    scored = await art.score_group(group)
    assert [one.reward for one in scored.trajectories] == [1.0, 0.0]
    assert scored.trajectories[0].metrics == {"equal": 1.0, "brevity": 0.0}
    assert "missing_field" in scored.logs[0]
    assert [path for path, _ in right.requests].count("/v1/score") == 1


async def test_art_gets_no_group_where_nothing_is_scored(right: Service) -> None:
    assert await art.score_group(group_of(trajectory("42"))) is None
    assert (await art.score_group(group_of(trajectory("42"), ground_truth="42"))).trajectories[0].reward == 1.0


async def test_art_stops_while_the_service_is_away(nobody: str) -> None:
    with pytest.raises(Unavailable):
        await art.score_group(group_of(trajectory("42")))


def test_langsmith_gets_a_score_or_the_reason(right: Service) -> None:
    assert langsmith.reward({"question": "6*7?"}, {"output": "42"}, {"answer": "42"}) == {"key": "right", "score": 1.0}
    assert langsmith.make_evaluator("brief")({"text": "p"}, {"text": "one two"}) == {"key": "brief", "score": -0.5}
    missing = langsmith.reward({"question": "6*7?"}, {"output": "42"}, {})
    assert missing["score"] is None
    assert "missing_field" in missing["comment"]


def test_rewardbench_gets_a_row_per_text(service: Service) -> None:
    pipeline = rewardbench.RewardGatewayPipeline("text-classification", rewardbench.build_model("brief"), object())
    rows = pipeline(["one two", "one", "one two three"], batch_size=8, truncation=True)
    assert rows == [{"label": "reward", "score": score} for score in (-0.5, 0.0, -1.0)]


def test_rewardbench_stops_where_there_is_no_score_no_service_or_no_http(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFound):
        rewardbench.RewardGatewayPipeline("", rewardbench.build_model("wrong"), object())(["a"])
    monkeypatch.setenv("REWARD_GATEWAY_URL", "grpc://127.0.0.1:1")
    with pytest.raises(InvalidRequest, match="http://"):
        rewardbench.RewardGatewayPipeline("", rewardbench.build_model("brief"), object())(["a"])
