"""What all adapters share: where the service is, and batches of any size."""

import pytest
from reward_gateway.client import Job, Scores
from reward_gateway.client.adapters import service as shared
from reward_gateway.client.adapters.rows import convert_label, make_sample
from reward_gateway.client.adapters.service import Service as Asked
from reward_gateway.client.adapters.service import Unscored, require_number
from reward_gateway.errors import NotFound

from tests.client.conftest import ANSWERED_AND_BROKEN, BROKEN, Service


def test_arguments_go_before_the_environment_and_the_environment_before_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("URL", "REWARD", "API_KEY", "TIMEOUT_S", "RUN", "JOBS"):
        monkeypatch.delenv(f"REWARD_GATEWAY_{name}", raising=False)
    assert Asked.of() == Asked("http://127.0.0.1:8080", None, None, 120.0)
    monkeypatch.setenv("REWARD_GATEWAY_URL", "http://there:1")
    monkeypatch.setenv("REWARD_GATEWAY_REWARD", "right")
    monkeypatch.setenv("REWARD_GATEWAY_API_KEY", "key")
    monkeypatch.setenv("REWARD_GATEWAY_TIMEOUT_S", "30")
    monkeypatch.setenv("REWARD_GATEWAY_RUN", "run-1")
    assert Asked.of() == Asked("http://there:1", "right", "key", 30.0, "run-1")
    given = Asked.of("http://here:2", "brief", "other", 5, run="run-2", longest_s=3)
    assert given == Asked("http://here:2", "brief", "other", 3.0, "run-2")


def test_a_batch_over_the_services_limit_goes_out_in_pieces_that_keep_prompts_together(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "LARGEST", 10)
    rows = [{"prompt": f"p{i // 4}", "response": "w " * (i + 1)} for i in range(30)]
    assert [one.reward for one in Asked.of().score(rows)] == [-0.5 * i for i in range(30)]
    assert [len(piece) for piece in shared._split_batch(rows)] == [8, 8, 8, 6]
    assert [len(piece) for piece in shared._split_batch([rows[0]] * 25)] == [10, 10, 5]
    assert [path for path, _ in service.requests].count("/v1/score") == 4


def test_a_batch_may_be_one_job_which_is_submitted_again_where_it_was_lost(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "LARGEST", 10)
    wait = Job.result
    lost: list[str] = []

    def lose_once(job: Job, timeout: float | None = None) -> Scores:
        if not lost:
            lost.append(job.id)
            raise NotFound("there is no such job")
        return wait(job, timeout)

    monkeypatch.setattr(Job, "result", lose_once)
    rows = [{"prompt": "p", "response": "w " * (i + 1)} for i in range(30)]
    assert [one.reward for one in Asked.of(jobs=True).score(rows)] == [-0.5 * i for i in range(30)]
    assert Asked.of(jobs=True).score([]) == []
    assert [path for path, _ in service.requests].count("/v1/jobs") == 3


def test_a_job_that_is_always_lost_is_not_submitted_for_ever(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(job: Job, timeout: float | None = None) -> Scores:
        raise NotFound("there is no such job")

    monkeypatch.setattr(Job, "result", lose)
    with pytest.raises(NotFound):
        Asked.of(jobs=True).score([{"prompt": "p", "response": "a"}])
    assert [path for path, _ in service.requests].count("/v1/jobs") == 3


def test_an_empty_batch_is_a_batch(service: Service) -> None:
    assert Asked.of().score([]) == []


def test_a_recipe_that_gives_a_vector_gives_no_number() -> None:
    from reward_gateway.client import SampleScore

    with pytest.raises(Unscored, match="single number"):
        require_number(SampleScore(float("nan"), True, None, (), [1.0]))


def test_ground_truths_are_texts_lists_of_answers_or_the_fields_of_a_rule() -> None:
    assert [convert_label(value) for value in ("4", 4, 4.5, ["a", 1], {"b": None}, None)] == [
        "4",
        "4",
        "4.5",
        ["a", 1],
        '{"b": null}',
        None,
    ]
    assert convert_label({"pattern": "^a", "answer": ["a"]}) == {"pattern": "^a", "answer": ["a"]}


def test_place_holders_of_images_that_come_in_a_column_are_left_out() -> None:
    prompt = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what is it?"}]}]
    made = make_sample(prompt, "a cat", images=[{"bytes": b"\x89PNG", "path": None}])
    assert made["prompt"][0]["content"] == [{"type": "text", "text": "what is it?"}]
    assert made["images"] == [b"\x89PNG"]


@pytest.mark.parametrize("fault", [BROKEN, ANSWERED_AND_BROKEN, 502])
def test_a_broken_connection_is_tried_again_with_the_same_key(service: Service, fault: int) -> None:
    service.refusals.append((fault, {}))
    assert [one.reward for one in Asked.of(timeout_s=60).score([{"response": "a b"}])] == [-0.5]
    first, second = service.keys
    assert first == second


@pytest.mark.anyio
async def test_a_single_sample_is_tried_again_likewise(service: Service) -> None:
    service.refusals.append((ANSWERED_AND_BROKEN, {}))
    assert (await Asked.of(timeout_s=60).score_one({"response": "a b"})).reward == -0.5
    first, second = service.keys
    assert first == second
