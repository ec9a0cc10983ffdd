"""RewardClient against a running service, over HTTP and gRPC alike."""

import socket
import threading
import time
from typing import Any

import httpx
import numpy as np
import pytest
from reward_gateway.client import RewardClient, SampleError, Unreachable
from reward_gateway.client.grpc import read_address
from reward_gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    InvalidRequest,
    NotFound,
    TooLarge,
    Unscorable,
)

TEXTS = ["one", "one two", "one two three", ""]


def test_scores_are_columns_in_the_order_of_the_responses(url: str) -> None:
    with RewardClient(url) as client:
        scores = client.score("p", TEXTS, reward="shaped")

    np.testing.assert_array_equal(scores.rewards, [1.0, 0.5, 0.0, 1.0])
    assert scores.rewards.dtype == np.float64
    assert scores.valid.all()
    assert scores.errors == [None] * 4
    assert scores.ids == ["0", "1", "2", "3"]
    assert scores.flags == [(), (), (), ("empty_response",)]
    assert scores.reward == "shaped"
    assert scores.recipe_version
    assert scores.usage["samples"] == len(scores) == 4
    brevity = scores.components["brevity"]
    np.testing.assert_array_equal(brevity.raw, [0.0, -0.5, -1.0, 0.0])
    np.testing.assert_array_equal(brevity.value, scores.rewards)
    assert brevity.model is None
    assert not brevity.cached.any()


def test_a_sample_without_a_score_is_nan_with_a_reason(url: str) -> None:
    with RewardClient(url) as client:
        scores = client.score(["p", "p"], ["one", None])
        filled = client.score(["p"], [None], on_invalid="default", default_reward=-3.0)

    assert np.isnan(scores.rewards[1])
    assert list(scores.valid) == [True, False]
    assert isinstance(scores.errors[1], SampleError)
    assert scores.errors[1].code == "missing_field"
    assert scores[1].error == scores.errors[1]
    assert (filled.rewards[0], bool(filled.valid[0])) == (-3.0, False)


def test_nothing_asked_is_nothing_answered(url: str) -> None:
    with RewardClient(url) as client:
        scores = client.score([], [])

    assert scores.rewards.shape == scores.valid.shape == (0,)


def test_samples_may_come_in_the_apis_own_form(url: str) -> None:
    talk = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    answer = [{"role": "assistant", "content": "one two"}]
    samples: list[dict[str, Any]] = [
        {"id": "a", "prompt": talk, "response": answer, "features": {"x": np.float64(1), "v": np.ones(2)}},
        {"id": "b", "prompt": "p", "response": "one", "steps": ["s"], "reference": "r", "group": "g"},
    ]
    with RewardClient(url) as client:
        scores = client.score_samples(samples, explain=False)

    assert scores.ids == ["a", "b"]
    np.testing.assert_array_equal(scores.rewards, [-0.5, 0.0])
    assert scores.components == {}


def test_one_conversation_stands_for_all_responses(url: str) -> None:
    with RewardClient(url) as client:
        assert len(client.score([{"role": "user", "content": "hi"}], ["one", "two"])) == 2


def test_an_operation_is_applied_to_items(url: str) -> None:
    with RewardClient(url) as client:
        results = client.apply(
            "score", "length_penalty", [{"response": "one two"}, {}], {"free_words": 1, "per_word": 0.5}
        )

    assert results[0]["reward"] == -0.5
    assert results[1]["reward"] is None
    assert results[1]["error"]["code"] == "missing_field"


def test_listings_are_the_same_over_both(service: Any) -> None:
    with RewardClient(service.url) as http, RewardClient(service.grpc_url) as grpc:
        assert [row["name"] for row in http.rewards()] == ["brief", "shaped"]
        assert http.rewards() == grpc.rewards()
        assert http.catalog() == grpc.catalog()
        assert http.models() == []
        assert http.ready()
        assert grpc.ready()
        with pytest.raises(InvalidRequest):
            grpc.models()


@pytest.mark.parametrize(
    ("ask", "kind", "param"),
    [
        (lambda client: client.score("p", ["r"], reward="nothing"), NotFound, "reward"),
        (lambda client: client.score("p", ["r" * 1001]), TooLarge, "samples[0].response"),
        (lambda client: client.score("p", ["r", None], on_invalid="fail"), Unscorable, "samples[1].response"),
        (lambda client: client.score("p", ["r"], on_invalid="default"), InvalidRequest, "options.default_reward"),
        (lambda client: client.apply("score", "nothing", []), NotFound, None),
    ],
)
def test_a_refusal_is_the_servers_own_exception(url: str, ask: Any, kind: type[Exception], param: str | None) -> None:
    with RewardClient(url) as client, pytest.raises(kind) as caught:
        ask(client)

    assert type(caught.value) is kind
    assert caught.value.param == param  # type: ignore[attr-defined]


def test_a_sample_of_another_form_is_refused(url: str) -> None:
    with RewardClient(url) as client, pytest.raises(InvalidRequest):
        client.score_samples([{"response": 3}])


def test_columns_of_different_lengths_never_leave_the_machine(service: Any) -> None:
    with RewardClient(service.url) as client:
        with pytest.raises(ValueError, match="reference: 1 values for 2 responses"):
            client.score("p", ["a", "b"], references=["x"])
        with pytest.raises(ValueError, match="responses must be a sequence"):
            client.score("p", "one text")
        with pytest.raises(TypeError, match="rewards"):
            client.score("p", ["a"], rewards="brief")  # type: ignore[call-arg]

    assert service.requests == []


def test_connections_are_reused(service: Any) -> None:
    with RewardClient(service.url) as client:
        for _ in range(20):
            client.score("p", ["one"])

    assert len(service.requests) == 20
    assert len(service.connections) == 1


def test_a_client_is_shared_by_threads(url: str) -> None:
    rewards: list[float] = []
    with RewardClient(url) as client:

        def ask(words: int) -> None:
            rewards.append(client.score("p", ["w " * words])[0].reward)

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(rewards) == [-0.5 * n for n in range(7, -1, -1)]


def test_a_service_that_is_not_there_is_waited_for_as_long_as_the_call_may_take() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]  # nobody listens, and nobody else may
        started = time.monotonic()
        with RewardClient(f"http://127.0.0.1:{port}", timeout_s=0.6) as client:
            with pytest.raises(Unreachable):
                client.score("p", ["one"])
            assert not client.ready()
        with RewardClient(f"grpc://127.0.0.1:{port}", timeout_s=0.3) as client:
            with pytest.raises(DeadlineExceeded):
                client.score("p", ["one"])
            assert not client.ready()

    assert time.monotonic() - started > 0.3


@pytest.mark.parametrize("url", ["ftp://host", "http:/host"])
def test_an_address_needs_a_scheme_that_is_spoken(url: str) -> None:
    with pytest.raises(ValueError, match="must start with"):
        RewardClient(url)


def test_address_and_key_come_from_the_environment(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_GATEWAY_URL", service.url)
    monkeypatch.setenv("REWARD_GATEWAY_API_KEY", "key")
    with RewardClient() as client:
        assert client.url == service.url
        assert client.ready()


def test_the_run_is_named_by_argument_or_environment(url: str, monkeypatch: pytest.MonkeyPatch, service: Any) -> None:
    def count(run: str) -> float:
        answer = httpx.get(f"{service.url}/v1/state/moments/of-{url[:4]}", params={"run": run}, timeout=60).json()
        return float(answer["value"]["count"]) if "value" in answer else 0.0

    params = {"stream": f"of-{url[:4]}"}
    with RewardClient(url, run="given") as client:
        client.apply("transform", "running_normalise", [{"reward": 1.0}], params)
    monkeypatch.setenv("REWARD_GATEWAY_RUN", "set")
    with RewardClient(url) as client:
        client.apply("transform", "running_normalise", [{"reward": 1.0}, {"reward": 2.0}], params)
    assert [count(run) for run in ("given", "set", "")] == [1, 2, 0]


def test_the_run_may_stand_in_the_address(url: str, service: Any) -> None:
    stream = f"addressed-{url[:4]}"
    with RewardClient(f"{url}/run/in-address") as client:
        client.apply("transform", "running_normalise", [{"reward": 1.0}], {"stream": stream})
        assert client.ready()
        assert client.score("p", ["a b"]).rewards == [-0.5]
    with RewardClient(f"{url}/run/in-address/", run="in-address") as client:
        client.apply("transform", "running_normalise", [{"reward": 1.0}], {"stream": stream})
    answer = httpx.get(f"{service.url}/run/in-address/v1/state/moments/{stream}", timeout=60)
    assert answer.json()["value"]["count"] == 2.0


def test_the_recipe_and_the_key_may_stand_in_the_address(url: str, service: Any) -> None:
    scheme, host = url.split("://")
    with RewardClient(f"{scheme}://x:a%20key@{host}/r/shaped") as client:
        assert client.score("p", ["a b"]).rewards == [0.5]
        assert client.score("p", ["a b"], reward="brief").rewards == [-0.5]
        assert client.ready()
    for path in ("run/A/r/shaped", "r/shaped/run/A/"):
        with RewardClient(f"{url}/{path}") as client:
            assert client.score("p", ["a b"]).rewards == [0.5]
    with RewardClient(f"{url}/r/nobody") as client:
        assert not client.ready()
        with pytest.raises(NotFound):
            client.score("p", ["a b"])


@pytest.mark.parametrize(
    ("url", "target", "metadata", "recipe"),
    [
        ("grpc://h:1", "h:1", (("authorization", "Bearer given"), ("x-run", "R")), None),
        ("grpc://x:k%40y@h:1/r/a%2Fb", "h:1", (("authorization", "Bearer k@y"), ("x-run", "R")), "a/b"),
        ("grpcs://h/r/a/run/R/", "h", (("authorization", "Bearer given"), ("x-run", "R")), "a"),
    ],
)
def test_a_grpc_address_is_taken_apart(url: str, target: str, metadata: Any, recipe: str | None) -> None:
    assert read_address(url, "given", "R") == (target, metadata, recipe)


@pytest.mark.parametrize("path", ["v1", "run", "run/", "run/a/v1/score", "r", "r/", "r/a/r/b", "runs/a"])
def test_a_grpc_address_has_no_other_path(path: str, service: Any) -> None:
    with pytest.raises(ValueError, match="names a run"):
        RewardClient(f"{service.grpc_url}/{path}")


def test_an_address_and_an_argument_do_not_name_two_runs(url: str) -> None:
    with pytest.raises((ValueError, GatewayError), match=r"name one"), RewardClient(f"{url}/run/a", run="b") as client:
        client.score("p", ["a b"])
