"""Trainers that hand over text which a chat template has rendered get the score of the messages.

Each adapter is called as its trainer calls it, with a prompt and a response as the trainer has them: rendered, decoded
with special tokens, or already messages. The number is that of the native request, from the same row of the cache.
"""

import math
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.client import RewardClient
from reward_gateway.client.adapters import areal, nemo_rl, open_instruct
from reward_gateway.client.adapters.service import Unscored
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.sample import Batch, Text, plain_text

from tests.client.conftest import NoModels, Service, serving
from tests.intake.chat_text.templates import RENDERINGS, Rendering

from .calls import ADAPTERS, ASKED, LEAVE_OUT, MESSAGE_CALLS, TEXT_CALLS, framework_calls, number
from .conftest import Module

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  ratio: {components: {ratio: {score: texts}}}
  verbatim: {components: {ratio: {score: texts}}, chat_format: none}
  unmarked: {components: {ratio: {score: texts}}, template_marks: refuse}
default: ratio
"""
ANSWER = "Put it in boiling water\nfor 8 minutes."


class Texts(NoModels):
    """A model that measures prompt and response, and remembers them."""

    def __init__(self) -> None:
        self.seen: list[tuple[Text, Text | None]] = []

    async def info(self, name: str) -> ModelInfo:
        return ModelInfo("texts", "1", True, ("prompt", "response"), ("number",), 256)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        self.seen += [(batch.prompts[i], batch.responses[i]) for i in rows]
        numbers = [[measure(batch.prompts[i], batch.responses[i] or "")] for i in rows]
        return ModelAnswer(np.array(numbers), calls=1, version="1")


def measure(prompt: Text, response: Text) -> float:
    return len(plain_text(response)) - math.sqrt(2.0) * len(plain_text(prompt))


TEXTS = Texts()


@pytest.fixture(scope="module")
def measuring() -> Iterator[Service]:
    known = {"texts": KnownModel(("prompt", "response"), ("number",))}
    yield from serving(RECIPES, TEXTS, MemoryCache(entries=1000, ttl_s=600.0), known)


@pytest.fixture(params=["http", "grpc"])
def asked(measuring: Service, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service that a trainer's environment names, once over each transport."""
    for name in ("REWARD", "CHAT_FORMAT", "RUN"):
        monkeypatch.delenv(f"REWARD_GATEWAY_{name}", raising=False)
    monkeypatch.setenv("REWARD_GATEWAY_URL", measuring.url if request.param == "http" else measuring.grpc_url)
    TEXTS.seen.clear()
    return measuring


def rendering_of(name: str) -> Rendering:
    return next(rendering for rendering in RENDERINGS if rendering.name == name)


def native(service: Service, prompt: Any = ASKED, response: str = ANSWER) -> float:
    with RewardClient(service.url) as client:
        return float(client.score([prompt], [response]).rewards[0])


@pytest.mark.parametrize("template", ["chatml", "llama3"])
@pytest.mark.parametrize("name", TEXT_CALLS)
async def test_rendered_text_has_the_score_and_the_cache_row_of_its_messages(
    asked: Service, name: str, template: str
) -> None:
    rendering = rendering_of(template)
    wanted = native(asked)
    TEXTS.seen.clear()
    prompt = rendering.render(ASKED, generate=True)
    for end in (rendering.end, f"{rendering.end}\n<|endoftext|><|endoftext|>", ""):
        assert await number(TEXT_CALLS[name], prompt, ANSWER + end) == pytest.approx(wanted, rel=1e-5)
    assert TEXTS.seen == [], "the row of the cache is that of the native request"


@pytest.mark.parametrize("end", ["<|im_end|>", "<|eot_id|>", ""])
@pytest.mark.parametrize("name", MESSAGE_CALLS)
async def test_a_response_beside_messages_ends_before_its_end_mark(asked: Service, name: str, end: str) -> None:
    wanted = native(asked)
    TEXTS.seen.clear()
    assert await number(MESSAGE_CALLS[name], "", ANSWER + end) == pytest.approx(wanted, rel=1e-5)
    assert TEXTS.seen == []


@pytest.mark.parametrize("template", ["chatml", "llama3"])
@pytest.mark.parametrize("name", [*TEXT_CALLS, *MESSAGE_CALLS])
async def test_a_policy_that_closes_its_turn_and_opens_a_better_one_is_not_paid(
    asked: Service, name: str, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendering = rendering_of(template)
    call, prompt = (TEXT_CALLS | MESSAGE_CALLS)[name], rendering.render(ASKED, generate=True)
    better = f"no, {uuid.uuid4()}{rendering.end}\n{rendering.header}{ANSWER}"
    await number(call, prompt, better + rendering.end)
    assert TEXTS.seen == [(ASKED, better)], "all of it is the response"
    monkeypatch.setenv("REWARD_GATEWAY_REWARD", "unmarked")
    if name in LEAVE_OUT:
        assert await number(call, prompt, better) is None
    else:
        with pytest.raises(Unscored, match="template_marks"):
            await number(call, prompt, better)


@pytest.mark.parametrize("name", TEXT_CALLS)
async def test_text_without_marks_is_taken_as_it_is(asked: Service, name: str) -> None:
    for prompt, response in (("", "So it is."), ("user: hi\n", "  a < b | c\n"), ("Quote <|im_start|>", "x </b> <s>")):
        assert await number(TEXT_CALLS[name], prompt, response) == pytest.approx(measure(prompt, response), rel=1e-5)


async def test_the_recipe_or_the_trainers_environment_says_how_text_is_read(
    asked: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = rendering_of("chatml").render(ASKED, generate=True)
    monkeypatch.setenv("REWARD_GATEWAY_REWARD", "verbatim")
    own = str(uuid.uuid4())  # in no cache
    areal.reward(prompt, own)
    monkeypatch.setenv("REWARD_GATEWAY_CHAT_FORMAT", "chatml")
    areal.reward(prompt, own)
    monkeypatch.setenv("REWARD_GATEWAY_CHAT_FORMAT", "none")
    monkeypatch.setenv("REWARD_GATEWAY_REWARD", "ratio")
    areal.reward(prompt, own[1:])
    assert [seen for seen, _ in TEXTS.seen] == [prompt, ASKED, prompt]


@pytest.mark.parametrize("template", ["chatml", "llama3"])
async def test_nemo_rl_keeps_what_the_template_made_of_each_message(
    asked: Service, template: str, installed: Module
) -> None:
    installed("torch", float32=np.float32, tensor=np.array, ones=np.ones)
    rendering, environment = rendering_of(template), nemo_rl.RewardEnvironment()
    wanted, whole = native(asked), rendering.render(ASKED, generate=True)
    system = rendering.render(ASKED[:1])
    logs: list[list[dict[str, Any]]] = [
        [{"role": "user", "content": whole, "token_ids": [1]}],
        [{"role": "system", "content": system}, {"role": "user", "content": whole.removeprefix(system)}],
        [ASKED[0], {"role": "user", "content": rendering.render(ASKED[1:], generate=True)}],
        [{"role": "user", "content": whole, "token_ids": [1]}, {"role": "user", "content": "x", "token_ids": []}],
        [*ASKED],
    ]
    TEXTS.seen.clear()
    answer = {"role": "assistant", "content": ANSWER}
    rewards = environment.step([[*log, answer] for log in logs], [{}] * len(logs)).rewards
    assert rewards.tolist() == pytest.approx([wanted] * len(logs), rel=1e-5)
    assert TEXTS.seen == []


async def test_open_instruct_writes_the_prompts_messages_as_lines(asked: Service, installed: Module) -> None:
    call = framework_calls(installed)["open_instruct"]
    wanted = native(asked)
    TEXTS.seen.clear()
    query = "\n".join(f"{message['role']}: {message['content']}" for message in ASKED)
    for response in (ANSWER, ANSWER + "<|im_end|>"):
        assert await number(call, query, response) == pytest.approx(wanted, rel=1e-5)
    assert TEXTS.seen == []


@pytest.mark.parametrize(
    "messages",
    [
        [("user", "Why?")],
        [("user", "Why?\n\nthe user: I"), ("assistant", "So."), ("user", "")],
        [("system", "Be brief.\nuser of words"), ("user", "Write:\nassistant: Hello\nuser: Hi\nassistant: Bye")],
        [("user", "user: a\nuser: b")],
    ],
)
def test_a_line_of_a_message_that_looks_like_a_turn_stays_in_it(messages: list[tuple[str, str]]) -> None:
    query = "\n".join(f"{role}: {content}" for role, content in messages)
    assert open_instruct._read_query(query) == [{"role": role, "content": content} for role, content in messages]


@pytest.mark.parametrize("query", ["", "Why?", "Why?\nuser: x", "tool: x"])
def test_a_query_of_another_kind_is_the_prompt(query: str) -> None:
    assert open_instruct._read_query(query) == query


async def test_ms_swift_and_atropos_read_rendered_text_too(asked: Service, installed: Module) -> None:
    calls, rendering = framework_calls(installed), rendering_of("llama3")
    wanted = native(asked, ASKED[1]["content"])
    TEXTS.seen.clear()
    prompt = rendering.render(ASKED[1:], generate=True)
    assert await number(calls["atropos"], prompt, f"{ANSWER}<|eot_id|>") == pytest.approx(wanted)
    assert await number(calls["ms_swift"], ASKED[1]["content"], f"{ANSWER}<|eot_id|>") == pytest.approx(wanted)
    assert TEXTS.seen == []


NATIVE = {
    "agent_lightning": "the agent's answer, as an API gave it",
    "art": "messages of an API",
    "autoevals": "texts of an evaluation",
    "deepeval": "texts of an evaluation",
    "hatchery": "read by /get_reward, which takes rendered text",
    "inspect_ai": "messages of an evaluation",
    "langsmith": "texts of an evaluation",
    "lerobot": "frames",
    "openenv": "texts of an environment's action",
    "rewardbench": "read by /classify, which takes rendered text",
    "tinker_cookbook": "messages, which the renderer has parsed",
    "verifiers": "messages of an API",
}
"""Adapters whose trainers hand over no rendered text, and what they do hand over."""


def test_every_adapter_says_whether_its_trainer_hands_over_rendered_text() -> None:
    asks = {}
    for path in [*ADAPTERS.glob("*.py"), ADAPTERS / "ms_swift" / "plugin.py", *ADAPTERS.glob("lerobot/*.py")]:
        source = path.read_text()
        name = path.stem if path.parent == ADAPTERS else path.parent.name
        if ("Service.of(" in source or "RecipeScorer" in source) and name != "service":
            asks[name] = 0 < source.count("rendered=True") == source.count("Service.of(")
            assert asks[name] or "rendered=True" not in source, f"{path.stem} reads some of its texts alone"
    assert {name for name, reads in asks.items() if not reads} == set(NATIVE)
