"""Each sample of a mixed data set by its own scorer: adapters hand on what the rows say, under its own name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from reward_gateway.client.adapters import (
    agent_lightning,
    areal,
    art,
    batch,
    easyr1,
    nemo_rl,
    rllm,
    skyrl,
    slime,
    trl,
    tunix,
    verifiers,
    verl,
    verl_manager,
)
from reward_gateway.client.adapters.rows import find_metadata, make_samples

from tests.client.conftest import Service, serving

from .calls import ADAPTERS, Decoder
from .conftest import Module, fresh

pytestmark = pytest.mark.anyio

NAMED = "task", "data_source", "rm_type", "dataset"
RECIPES = "rewards:\n" + "".join(
    f"""
  {name}:
    components:
      chosen:
        score:
          by: metadata.{name}
          cases:
            math: {{score: math_equivalence}}
            words: {{score: length_penalty, params: {{free_words: 0, per_word: 1}}}}
"""
    for name in NAMED
)

TASKS, ANSWERS, SAID = ["math", "words"], ["42", None], ["42", "one two"]
REWARDS = [1.0, -2.0]
COLUMNS = {"answer": ANSWERS, "task": TASKS}


@pytest.fixture(scope="module")
def mixing() -> Iterator[Service]:
    yield from serving(RECIPES)


@pytest.fixture
def service(mixing: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setenv("REWARD_GATEWAY_URL", mixing.url)
    monkeypatch.setenv("REWARD_GATEWAY_REWARD", "task")
    return mixing


def rows() -> Iterator[tuple[str, str | None, str]]:
    return zip(TASKS, ANSWERS, SAID, strict=True)


@pytest.mark.usefixtures("service")
async def test_trl_sends_the_columns_of_the_data_set() -> None:
    more = {"trainer_state": object(), "log_metric": lambda name, value: None, "images": [None, None]}
    assert await trl.reward(["p", "q"], SAID, [[1], [2]], **COLUMNS, **more) == REWARDS


@pytest.mark.usefixtures("service")
def test_batch_functions_send_the_columns_of_the_data_set() -> None:
    assert batch.score(prompts=["p", "q"], completions=SAID, **COLUMNS) == REWARDS
    assert tunix.reward(["p", "q"], SAID, answer=ANSWERS, task=np.array(TASKS)) == REWARDS


@pytest.mark.usefixtures("service")
async def test_ms_swift_sends_the_columns_of_the_data_set(installed: Module) -> None:
    orms: dict[str, Any] = {}
    installed("swift.rewards", AsyncORM=object, orms=orms)
    fresh(ADAPTERS / "ms_swift" / "plugin.py")
    turns = [{"role": "user", "content": "p"}, {"role": "assistant", "content": "x"}]
    assert await orms["reward_gateway"]()(SAID, messages=[turns, turns], solution=ANSWERS, task=TASKS) == REWARDS


@pytest.mark.usefixtures("service")
def test_atropos_sends_its_arguments(installed: Module) -> None:
    based = type("Based", (), {"__init__": lambda self, **settings: None})
    installed("atroposlib.envs.reward_fns.registry", registry=SimpleNamespace(register=lambda name: lambda kind: kind))
    installed("atroposlib.envs.reward_fns.reward_function", RewardFunction=based)
    reward = fresh(ADAPTERS / "atropos.py").RewardGateway()
    assert reward.compute(SAID, prompts=["p", "q"], **COLUMNS) == REWARDS
    assert reward.compute(["42", "43"], prompts="p", answer="42", task="math") == [1.0, 0.0]


async def test_verl_sends_the_data_source_and_what_extra_info_says(service: Service) -> None:
    url = service.url
    by_source = [(task, said, answer, {"index": 3}) for task, answer, said in rows()]
    by_extra = [("d", said, answer, {"task": task}) for task, answer, said in rows()]
    for reward, calls in (("data_source", by_source), ("task", by_extra)):
        found = [(await verl.compute_score(*call, url=url, reward=reward))["score"] for call in calls]
        together = verl.compute_scores(*map(list, zip(*calls, strict=True)), url=url, reward=reward)
        assert found == [each["score"] for each in together] == REWARDS


@pytest.mark.parametrize("name", ["data_source", "task"])
async def test_verls_manager_sends_what_the_row_says(service: Service, name: str) -> None:
    settings = {"custom_reward_function": {"reward_kwargs": {"url": service.url, "reward": name}}}
    found = []
    for task, answer, said in rows():
        manager = verl_manager.RewardGatewayManager(SimpleNamespace(reward=settings), Decoder(said))
        tensors = {"responses": np.array([1, 2]), "attention_mask": np.array([1, 1, 1])}
        told = {"data_source": task} if name == "data_source" else {"extra_info": {name: task}}
        fields = {"raw_prompt": [{"role": "user", "content": "p"}], "reward_model": {"ground_truth": answer}, **told}
        row = SimpleNamespace(batch=tensors, non_tensor_batch=fields)
        found.append((await manager.run_single([row]))["reward_score"])
    assert found == REWARDS


def test_easyr1_sends_what_the_answers_mapping_says(service: Service) -> None:
    inputs: list[Any] = [
        {"response": said, "ground_truth": {"prompt": "p", "answer": answer, "task": task}}
        for task, answer, said in rows()
    ]
    found = easyr1.compute_score(inputs, url=service.url, reward="task")
    assert [each["overall"] for each in found] == REWARDS


async def test_slime_sends_the_rows_metadata(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_GATEWAY_REWARD", "rm_type")
    samples = [
        SimpleNamespace(prompt="p", response=said, label=answer, group_index=1, metadata={"rm_type": task, "n": [1]})
        for task, answer, said in rows()
    ]
    assert await slime.reward(SimpleNamespace(), samples) == REWARDS
    assert [await slime.reward(SimpleNamespace(), sample) for sample in samples] == REWARDS


@dataclass
class Verification:
    score: float


class Verifier:
    """open-instruct's base, which looks at the classes made of it directly."""

    def __init__(self, name: str, verifier_config: Any = None, weight: float = 1.0) -> None:
        self.name = name


async def test_open_instruct_has_a_verifier_for_each_data_set_that_is_named(
    installed: Module, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWARD_GATEWAY_REWARD", "dataset")
    monkeypatch.setenv("REWARD_GATEWAY_DATASETS", "math, words")
    installed("open_instruct.ground_truth_utils", VerificationResult=Verification, VerifierFunction=Verifier)
    fresh(ADAPTERS / "open_instruct.py")
    made = [kind(verifier_config=None) for kind in Verifier.__subclasses__()]  # type: ignore[call-arg]
    by_name: dict[str, Any] = {one.name: one for one in made}
    assert list(by_name) == ["reward_gateway", "math", "words"]
    found = [(await by_name[task].async_call([1], said, answer, "user: p")).score for task, answer, said in rows()]
    assert found == [by_name[task]([1], said, answer).score for task, answer, said in rows()] == REWARDS


@pytest.mark.usefixtures("service")
async def test_the_others_send_what_their_rows_say(installed: Module) -> None:
    installed("torch", float32=np.float32, tensor=np.array, ones=np.ones)
    log = [[{"role": "user", "content": "p"}, {"role": "assistant", "content": said}] for said in SAID]
    told = [{"answer": answer, "task": task, "question": "p"} for task, answer, _ in rows()]
    assert nemo_rl.RewardEnvironment().step(log, told).rewards.tolist() == REWARDS
    assert [rllm.reward(row, said).reward for row, said in zip(told, SAID, strict=True)] == REWARDS
    assert [await agent_lightning.reward(row, said) for row, said in zip(told, SAID, strict=True)] == REWARDS
    assert [areal.reward("p", said, [1], [2], **row) for row, said in zip(told, SAID, strict=True)] == REWARDS
    for row, said, reward in zip(told, SAID, REWARDS, strict=True):
        task, trace = SimpleNamespace(prompt="p", **row), SimpleNamespace(last_reply=said)
        assert await verifiers.reward(task, trace) == await verifiers.rubric_reward("p", said, info=row) == reward


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(
    "told",
    [
        lambda task: {"task": task},
        lambda task: {"extra_info": {"task": task}},
        lambda task: {"reward_spec": {"task": task}},
    ],
)
def test_skyrl_sends_what_its_row_says(told: Callable[[str], dict[str, Any]]) -> None:
    found = []
    for task, answer, said in rows():
        extras = told(task)
        extras["reward_spec"] = {"ground_truth": answer, **extras.get("reward_spec", {})}
        environment = skyrl.RewardGatewayEnv({}, extras)
        environment.init([{"role": "user", "content": "p"}])
        found.append(environment.step(said)["reward"])
    assert found == REWARDS


@pytest.mark.usefixtures("service")
async def test_art_sends_the_metadata_of_trajectory_and_group() -> None:
    trajectories = [
        SimpleNamespace(
            messages=lambda said=said: [{"role": "user", "content": "p"}, {"role": "assistant", "content": said}],
            metadata={"answer": answer, **({"task": task} if task == "words" else {})},
            metrics={},
            reward=0.0,
        )
        for task, answer, said in rows()
    ]
    await art.score_group(SimpleNamespace(trajectories=trajectories, metadata={"task": "math"}, logs=[]))
    assert [trajectory.reward for trajectory in trajectories] == REWARDS


def test_metadata_are_short_texts_numbers_and_booleans() -> None:
    row = {
        "task": "math",
        "level": np.int64(3),
        "share": np.float32(0.1),
        "hard": np.bool_(True),
        "nothing": None,
        "lost": float("nan"),
        "long": "x" * 257,
        "tests": ["a"],
        "info": {"a": 1},
        "answer": "42",
        "prompt": "p",
        1: "one",
        "state": object(),
    }
    assert find_metadata(row, None, {"task": "other", "split": np.str_("train")}) == {
        "task": "math", "level": 3, "share": 0.1, "hard": True, "1": "one", "split": "train",
    }  # fmt: skip


def test_columns_are_lists_of_the_batchs_length() -> None:
    columns = {"task": ("a", "b"), "level": np.array([1, 2]), "seed": 7, "word": "ab", "three": [1, 2, 3]}
    found = [sample["metadata"] for sample in make_samples(["p", "q"], ["r", "s"], columns)]
    assert found == [{"task": "a", "level": 1}, {"task": "b", "level": 2}]
