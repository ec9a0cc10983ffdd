"""The same sample has the same score alone, in any batch, in any order, cached or not, over HTTP and over gRPC."""

import random
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from reward_gateway.proto import reward_pb2

if TYPE_CHECKING:
    from tests.conftest import Stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]

TEXTS = 60
TOLERANCE = 1e-5


def make_texts(count: int) -> list[tuple[str, str]]:
    """Questions and answers of very different lengths."""
    rng = random.Random(11)
    words = [f"word{i}" for i in range(40)] + ["how", "boil", "an", "egg", "water", "please"]

    def pick(count: int) -> str:
        return " ".join(rng.choice(words) for _ in range(count))

    return [(pick(rng.randint(0, 30)), pick(rng.choice((0, 1, 5, 20, 80, 250)))) for _ in range(count)]


def over_http(stack: "Stack", rows: list[tuple[str, str]], cache: str) -> list[float]:
    samples = [{"prompt": prompt, "response": response} for prompt, response in rows]
    body = {"reward": "helpful", "samples": samples, "options": {"cache": cache}}
    answer = httpx.post(f"{stack.http}/v1/score", json=body, timeout=120)
    assert answer.status_code == 200, answer.text
    return [result["reward"] for result in answer.json()["results"]]


def over_grpc(stack: "Stack", rows: list[tuple[str, str]]) -> list[float]:
    with grpc.insecure_channel(stack.grpc) as channel:
        samples = [reward_pb2.Sample(prompt=prompt, response=response) for prompt, response in rows]
        request = reward_pb2.ScoreRequest(reward="helpful", samples=samples)
        score = channel.unary_unary(
            "/reward_gateway.v1.RewardService/Score",
            request_serializer=reward_pb2.ScoreRequest.SerializeToString,
            response_deserializer=reward_pb2.ScoreResponse.FromString,
        )
        return [result.reward for result in score(request, timeout=120).results]


def test_alone_together_shuffled_and_cached_are_one_score(stack: "Stack") -> None:
    texts = make_texts(TEXTS)
    alone = [over_http(stack, [row], "off")[0] for row in texts]
    rng = random.Random(5)
    for cache in ("off", "refresh", "use"):
        order = list(range(TEXTS))
        rng.shuffle(order)
        while order:
            size = rng.choice((1, 2, 7, 31))
            chosen, order = order[:size], order[size:]
            together = over_http(stack, [texts[i] for i in chosen], cache)
            assert together == pytest.approx([alone[i] for i in chosen], rel=TOLERANCE, abs=TOLERANCE)


def test_grpc_gives_the_scores_of_http(stack: "Stack") -> None:
    texts = make_texts(20)
    assert over_grpc(stack, texts) == pytest.approx(over_http(stack, texts, "use"), rel=TOLERANCE, abs=TOLERANCE)


def test_a_better_answer_is_worth_more(stack: "Stack") -> None:
    question = "How do I boil an egg?"
    good = "Put the egg in boiling water for eight minutes, then cool it in cold water and peel it."
    better, worse = over_http(stack, [(question, good), (question, "egg egg egg asdf")], "use")
    assert better > worse
