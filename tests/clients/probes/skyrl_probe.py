"""SkyRL: its generator takes answers of an engine through our environment, which it finds under its name."""

import asyncio
from types import SimpleNamespace
from typing import Any

from letters import make_tokenizer
from reward_gateway.client.adapters import skyrl
from run import Call, find_command
from skyrl.train.config import SkyRLTrainConfig
from skyrl.train.generators.skyrl_gym_generator import SkyRLGymGenerator
from skyrl.train.utils import validate_cfg

PACKAGE = "skyrl"

skyrl.register()


class Engine(SimpleNamespace):
    """Answers each prompt with what the sample says."""

    async def generate(self, asked: Any, model: str | None = None) -> dict[str, Any]:
        (tokens,) = asked["prompt_token_ids"]
        answer = next(said for prompt, said in self.answers.items() if prompt in self.tokenizer.decode(tokens))
        ids = self.tokenizer(answer)["input_ids"]
        return {"responses": [answer], "response_ids": [ids], "stop_reasons": ["stop"], "response_logprobs": None}

    async def finish_session(self, *_: Any, **__: Any) -> None: ...


def score(call: Call) -> list[float | None]:
    config = SkyRLTrainConfig.from_cli_overrides(["environment.env_class=reward_gateway"])
    tokenizer = make_tokenizer(call.column("prompt") + call.column("response"))
    engine = Engine(tokenizer=tokenizer, answers={sample["prompt"]: sample["response"] for sample in call.samples})
    generator = SkyRLGymGenerator(config.generator, config.environment.skyrl_gym, engine, tokenizer)
    batch = {
        "prompts": [[{"role": "user", "content": prompt}] for prompt in call.column("prompt")],
        "env_classes": ["reward_gateway"] * len(call.samples),
        "env_extras": [{"reward_spec": {"ground_truth": truth}} for truth in call.column("reference")],
    }
    rewards = asyncio.run(generator.generate(batch, disable_tqdm=True))["rewards"]
    return [sum(reward) if isinstance(reward, list) else reward for reward in rewards]  # a list: one a token


def parse(lines: list[str]) -> str:
    _, _, module, *words = lines[0].split()
    assert module == skyrl.__name__
    config = SkyRLTrainConfig.from_cli_overrides([*(word for word in words if "=" in word), "trainer.logger=console"])
    validate_cfg(config)
    assert config.environment.env_class == skyrl.ENVIRONMENT
    return type(config).__name__


def read_guide(guide: str) -> str:
    config = SkyRLTrainConfig.from_cli_overrides(find_command(guide, f"python -m {skyrl.__name__}"))
    validate_cfg(config)
    assert config.environment.env_class == skyrl.ENVIRONMENT
    return type(config).__name__
