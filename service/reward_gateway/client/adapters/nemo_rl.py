"""NeMo-RL.

    python -m reward_gateway.client.adapters.nemo_rl examples/run_grpo.py --config …      # in place of `python …`

and in its configuration:

    data: {default: {env_name: reward_gateway, …}}
    env: {reward_gateway: {url: "http://HOST:8080", reward: RECIPE}}      # or several: rewards: [helpful, brevity]

A training script of your own calls :func:`register` instead, before it makes environments. With ``rewards`` the answer
is a reward a recipe, which NeMo-RL's GDPO normalises each by itself. Ground truths come from a row's ``ground_truth``
(``reference``, ``answer``, ``solution``); what the row says in short texts and numbers is the sample's metadata, by
which a recipe may choose the scorer. What the chat template made of a message is read back into messages by the
service (guides/chat_text.md). A sample without a score raises.
"""

import runpy
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reward_gateway.client.adapters.rows import REFERENCES, make_sample
from reward_gateway.client.adapters.service import Service, require_numbers
from reward_gateway.sample.turn_marks import has_turn_marks

NAME = "reward_gateway"


class StepReturn(NamedTuple):
    """The fields of NeMo-RL's ``EnvironmentReturn``, for where it is not installed."""

    observations: list[dict[str, str]]
    metadata: list[Any]
    next_stop_strings: list[Any]
    rewards: Any
    terminateds: Any
    answers: list[str | None] | None = None


class RewardEnvironment:
    """One turn: the last message of every conversation is the response, what stands before it the prompt."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        settings = dict(config or {})
        names = settings.get("rewards")
        url, api_key, timeout_s, run = map(settings.get, ("url", "api_key", "timeout_s", "run"))
        self._services = {
            name: Service.of(url, name, api_key, timeout_s, run=run, rendered=True)
            for name in names or [settings.get("reward")]
        }
        self._several = names is not None

    def step(self, message_log_batch: Sequence[Sequence[Mapping[str, Any]]], metadata: Sequence[Any]) -> Any:
        """Rewards [B], or by recipe [B] each."""
        import torch

        rows = [_read_sample(log, row) for log, row in zip(message_log_batch, metadata, strict=True)]
        rewards: dict[Any, Any] = {
            name: torch.tensor(require_numbers(service.score(rows)), dtype=torch.float32)
            for name, service in self._services.items()
        }
        size = len(rows)
        observations = [{"role": "environment", "content": ""} for _ in range(size)]
        return _step_return()(
            observations,
            list(metadata),
            [None] * size,
            rewards if self._several else next(iter(rewards.values())),
            torch.ones(size, dtype=torch.float32),
            None,
        )

    def global_post_process_and_metrics(self, batch: Any) -> tuple[Any, dict[str, float]]:
        """The batch as it is, and the mean reward of its rows."""
        total = batch.get("total_reward", batch.get("rewards"))
        return batch, {} if total is None else {"mean_reward": float(total.float().mean())}

    def shutdown(self) -> None:
        """Nothing is held."""


def _read_sample(messages: Sequence[Mapping[str, Any]], row: Any) -> dict[str, Any]:
    fields = row if isinstance(row, Mapping) else {}
    reference = next((fields[name] for name in REFERENCES if fields.get(name) is not None), None)
    return make_sample(_read_prompt(messages[:-1]), messages[-1:], reference, rows=[fields])


def _read_prompt(messages: Sequence[Mapping[str, Any]]) -> Any:
    """The prompt of a message log.

    NeMo-RL's processors keep what the chat template made of a message as its content: from the first of these on, the
    log is one text, to be read by the service. Messages of no tokens are not in the sequence.
    """
    kept = [message for message in messages if _has_tokens(message)]
    texts = [content for message in kept if isinstance(content := message.get("content"), str)]
    if len(texts) < len(kept):
        return kept
    first = next((k for k, text in enumerate(texts) if has_turn_marks(text)), None)
    if first is None:
        return texts[0] if len(texts) == 1 else kept
    rest = "".join(texts[first:])
    return [*kept[:first], {"role": "user", "content": rest}] if first else rest


def _has_tokens(message: Mapping[str, Any]) -> bool:
    tokens: Any = message.get("token_ids")
    return not hasattr(tokens, "__len__") or len(tokens) > 0


def _step_return() -> Any:
    try:
        from nemo_rl.environments.interfaces import EnvironmentReturn
    except ImportError:
        return StepReturn
    return EnvironmentReturn


def __getattr__(name: str) -> Any:
    """``Environment``: the class as a Ray actor, made when NeMo-RL asks for it."""
    if name != "Environment":
        raise AttributeError(name)
    import ray

    return ray.remote(RewardEnvironment)


def register() -> None:
    """Make the environment known to NeMo-RL, in this process. Its actor runs with this process's Python."""
    from nemo_rl.distributed.ray_actor_environment_registry import ACTOR_ENVIRONMENT_REGISTRY
    from nemo_rl.distributed.virtual_cluster import PY_EXECUTABLES
    from nemo_rl.environments.utils import register_env

    actor = f"{__name__}.Environment"
    ACTOR_ENVIRONMENT_REGISTRY[actor] = PY_EXECUTABLES.SYSTEM
    register_env(NAME, actor)


def main() -> None:
    """Run NeMo-RL's script, to which the environment is known by then."""
    register()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    from reward_gateway.client.adapters import nemo_rl  # under its own name, so that Ray's workers find it

    nemo_rl.main()
