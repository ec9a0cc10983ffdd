"""Judges behind a real vLLM: a language model of random weights, held to a form by vLLM where one is needed."""

import json
import math
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
import yaml
from reward_gateway.backends.judges.config import JudgeConfig
from reward_gateway.backends.judges.judges import Judges
from reward_gateway.backends.judges.questions import CacheUse, Question
from reward_gateway.backends.judges.replies import Reply
from reward_gateway.cache.breaker import Breaker
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cache.texts import TextCache
from reward_gateway.cli.main import app
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import AskJudge, AskJudgeAgain, AskJudgeForTokens, FindJudgeLimits
from reward_gateway.operations.registry import catalog
from reward_gateway.scoring.judge_questions import ask_again, ask_for_texts, ask_for_tokens
from reward_gateway.scoring.request_context import RequestContext
from typer.testing import CliRunner

from tests.upstreams.servers import Server, make_checkpoint, start_vllm

pytestmark = pytest.mark.anyio

LENGTH = 4096
GRADE = {"structured_outputs": {"regex": r'\{"quality": [0-9]\}'}}
YES_NO = {"structured_outputs": {"choice": ["YES", "NO"]}}
VERDICT = {"structured_outputs": {"choice": ["VERDICT: A", "VERDICT: B", "VERDICT: TIE"]}}
EXPECTED = {"low": 0, "high": 9, "grade": "expected"}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "words", "words")


@pytest.fixture(scope="module")
def vllm(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    longer = ("--max-model-len", str(LENGTH), "--hf-overrides", json.dumps({"max_position_embeddings": LENGTH}))
    server = start_vllm(checkpoint, tmp_path_factory.mktemp("vllm") / "log", *longer, generate=True)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.kill()


class Asking:
    """Operations as they score, with their questions answered by the judge ``judge``."""

    def __init__(self, judges: Judges) -> None:
        self.judges = judges

    async def score(self, name: str, *items: dict[str, Any], cache: Any = "off", **params: Any) -> list[Any]:
        operation = catalog().get("score", name)
        assert operation is not None
        steps = apply(operation, items, {"judge": "judge", **params})
        answer: Any = None
        context = RequestContext(cache=cache)
        while True:
            try:
                effect: Any = steps.send(answer)
            except StopIteration as stop:
                results: list[Any] = stop.value
                return results
            if isinstance(effect, AskJudgeForTokens):
                answer = await ask_for_tokens(self.judges, effect, context)
            elif isinstance(effect, FindJudgeLimits):
                answer = None
            elif isinstance(effect, AskJudgeAgain):
                answer = await ask_again(self.judges, effect, context)
            else:
                assert isinstance(effect, AskJudge)
                answer = await ask_for_texts(self.judges, effect, context)


@pytest.fixture
async def judge(vllm: Server) -> AsyncIterator[Any]:
    """Makes a judge of settings; all are closed in the end."""
    made: list[Judges] = []

    def make(**settings: Any) -> Asking:
        config = JudgeConfig(name="judge", base_url=vllm.url, model="rm", retries=0, **settings)
        answers = TextCache(MemoryCache(1000, 60.0))
        made.append(Judges([config], lambda changed: Breaker(100, monotonic, changed=changed), answers=answers))
        return Asking(made[-1])

    yield make
    for judges in made:
        await judges.close()


async def test_an_expected_grade_is_that_of_the_probabilities_that_the_server_tells(vllm: Server, judge: Any) -> None:
    items = [{"prompt": "What is 2 + 2?", "response": text} for text in ("4", "2 + 2 is 4.", "No idea")]
    asking = judge(structured=False, extra=GRADE)
    results = await asking.score("judge_rubric", *items, **EXPECTED)
    given = await asking.score("judge_rubric", *items, low=0, high=9)
    for item, result in zip(items, results, strict=True):
        assert result["error"] is None
        assert result["details"]["grades"]["quality"] == pytest.approx(expected_by_hand(vllm, item), abs=1e-3)
    differ = [a["reward"] != pytest.approx(b["reward"]) for a, b in zip(results, given, strict=True)]
    assert any(differ)


def expected_by_hand(vllm: Server, item: dict[str, str]) -> float:
    """Σ g p(g) / Σ p(g) of the one digit of the server's answer to the operation's question."""
    operation = catalog().get("score", "judge_rubric")
    assert operation is not None
    effect: Any = next(apply(operation, [item], EXPECTED))
    (messages,) = effect.asked.conversations
    body = {"model": "rm", "messages": messages, "temperature": 0, "logprobs": True, "top_logprobs": 20, **GRADE}
    answer = httpx.post(f"{vllm.url}/v1/chat/completions", json=body, timeout=120, trust_env=False).json()
    told = answer["choices"][0]["logprobs"]["content"]
    (digit,) = [token for token in told if token["token"].strip().isdigit()]
    shares = [
        (int(other["token"]), math.exp(other["logprob"]))
        for other in digit["top_logprobs"]
        if other["token"].strip().isdigit()
    ]
    assert len(shares) > 1
    return sum(grade * share for grade, share in shares) / sum(share for _, share in shares)


async def test_more_alternatives_than_the_server_tells_are_an_error_and_never_a_plain_grade(judge: Any) -> None:
    asking = judge(structured=False, extra=GRADE, top_logprobs=50)
    (result,) = await asking.score("judge_rubric", {"response": "4"}, **EXPECTED)
    assert (result["reward"], result["error"]["code"]) == (None, "judge_error")
    (plain,) = await asking.score("judge_rubric", {"response": "4"}, low=0, high=9)
    assert plain["error"] is None


async def test_a_schema_is_kept_to(checkpoint: Path, judge: Any) -> None:
    """Without marks made likely, random weights would write a reason without an end."""
    vocabulary = json.loads((checkpoint / "tokenizer.json").read_text())["model"]["vocab"]
    bias = {str(vocabulary[mark]): weight for mark, weight in (('"', 100), (":", 50), (",", 50), ("}", 50))}
    asking = judge(max_tokens=200, extra={"logit_bias": bias})
    (result,) = await asking.score("judge_rubric", {"response": "4"}, low=0, high=9)
    assert result["error"] is None, result
    assert json.loads(result["details"]["judge_answer"]).keys() == {"reason", "quality"}


async def test_an_answer_that_is_cut_is_none(judge: Any) -> None:
    (result,) = await judge(max_tokens=4, structured=False, extra=GRADE).score("judge_rubric", {"response": "4"})
    assert result["error"]["code"] == "judge_error"
    assert "did not finish its answer (length)" in result["error"]["message"]


async def test_a_value_that_is_refused_is_said_and_its_parameter_is_sent_on(judge: Any) -> None:
    """vLLM names max_tokens where it is too large, as where a server does not know it at all."""
    asking = judge(max_tokens=LENGTH + 1, extra=YES_NO)
    (refused,) = await asking.score("judge_reference", {"response": "4", "reference": "4"})
    assert refused["error"]["code"] == "judge_error"
    (endpoint,) = asking.judges._endpoints.values()
    assert endpoint.parameters(Question([]))["max_tokens"] == LENGTH + 1


async def test_a_question_that_is_too_long_is_refused_and_the_next_is_not(judge: Any) -> None:
    asking = judge(max_tokens=100, extra=YES_NO)
    long, short = {"response": "4 + 7 - " * 1200, "reference": "4"}, {"response": "4", "reference": "4"}
    (refused,) = await asking.score("judge_reference", long)
    assert refused["error"]["code"] == "judge_error"
    (result,) = await asking.score("judge_reference", short)
    assert result["error"] is None
    (endpoint,) = asking.judges._endpoints.values()
    assert endpoint.parameters(Question([]))["max_tokens"] == 100


async def test_both_orders_are_asked(judge: Any) -> None:
    asking = judge(extra=VERDICT)
    pairs = [{"prompt": "2 + 2?", "response": a, "other": b} for a, b in (("4", "5"), ("It is 4.", "no"), ("x", "y"))]
    for result in await asking.score("judge_pairwise", *pairs):
        first, second = (answer.removeprefix("VERDICT: ") for answer in result["details"]["judge_answer"])
        swapped = {"A": "B", "B": "A", "TIE": "TIE"}[second]
        assert result["reward"] == ({"A": 1.0, "B": 0.0, "TIE": 0.5}[first] if first == swapped else 0.5)
        flags = result["details"].get("flags", [])
        assert flags == ([] if first == swapped else ["position_disagreement"])


async def test_an_answer_is_cached_by_the_version_that_the_server_tells(judge: Any) -> None:
    asking = judge(extra=GRADE, structured=False)
    question = Question([{"role": "user", "content": "2 + 2?"}], tokens=True)
    first, second = [(await asking.judges.answer("judge", [question], cache=CacheUse("use")))[0] for _ in range(2)]
    assert isinstance(first, Reply)
    assert isinstance(second, Reply)
    assert first.model.startswith("rm/vllm")
    assert (first.cached, second.cached) == (False, True)
    assert (second.text, [token.text for token in second.tokens]) == (
        first.text,
        [token.text for token in first.tokens],
    )
    digits = [[token for token in reply.tokens if token.text.strip().isdigit()] for reply in (first, second)]
    assert digits[0] == digits[1] != []


def test_a_judge_is_checked(vllm: Server, tmp_path: Path) -> None:
    entry = {"name": "judge", "base_url": vllm.url, "model": "rm", "extra": YES_NO, "price": {"input": 1, "output": 1}}
    (tmp_path / "judges.yaml").write_text(yaml.safe_dump({"judges": [entry]}))
    rows = [{"response": str(k), "reference": "4", "label": k == 4} for k in range(8)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = ["--data", str(tmp_path / "data.jsonl"), "--judges", str(tmp_path / "judges.yaml")]
    result = CliRunner().invoke(app, ["judges", "check", "judge", *files, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["samples"], found["unread"], found["self_consistency"]) == (8, 0, 1)
    assert found["tokens_per_sample"] > 100
    assert found["cost_per_sample"] == pytest.approx(found["tokens_per_sample"] / 1e6)
    assert found["seconds_per_sample"] > 0
    assert 0 <= found["accuracy_low"] <= found["accuracy"] <= found["accuracy_high"] <= 1
