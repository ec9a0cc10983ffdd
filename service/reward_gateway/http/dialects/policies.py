"""What is different between trainers, as one table: failures, overload, patience, keys, the form of a score.

What a sample without a score becomes:

* ``error``: the request fails, 503 or 504 where trying again may help, else 422. The client sees that it failed;
* ``null``: null in the sample's place, with the reason beside it;
* ``marked``: the number that the client's own convention puts there, with the mark that keeps it out of training;
* ``absent``: the sample's score is left out, and the reason stands in the client's list of errors.

None of them is a number that nobody asked for. A recipe with ``on_invalid: default``, or the setting
``dialect_failures``, puts the operator's number in its place.
"""

from dataclasses import dataclass
from typing import Any, Literal

Failure = Literal["error", "null", "marked", "absent"]


@dataclass(frozen=True, slots=True)
class Policy:
    """One dialect's row.

    Attributes:
        prefix: first segment of its unambiguous paths; empty: it has only those that clients have built in.
        failure: what a sample without a score becomes.
        overload: status of "too busy, try again"; 503 where clients retry no 4xx.
        deadline_s: longest time an answer may take: below the clients' own timeout. None: the settings say.
        score: raw rewards, the sigmoid of them (as they are where the recipe's range lies within 0 and 1), or both.
        keys: keys of every answer.
        error: form of an error's body, a name of :data:`.error_formats.ERROR_FORMATS`.
    """

    name: str
    title: str
    clients: tuple[str, ...]
    prefix: str
    failure: Failure = "error"
    overload: Literal[503, 429] = 503
    deadline_s: float | None = None
    score: Literal["raw", "sigmoid", "raw and sigmoid", "as asked"] = "raw"
    keys: tuple[str, ...] = ()
    error: Literal["ours", "openai", "tei", "rerank", "detail", "no_500", "message"] = "ours"

    def row(self) -> dict[str, Any]:
        """The row as ``GET /v1/dialects`` shows it."""
        return {
            "name": self.name,
            "title": self.title,
            "clients": list(self.clients),
            "prefix": f"/{self.prefix}" if self.prefix else None,
            "on_invalid": self.failure,
            "overload_status": self.overload,
            "deadline_s": self.deadline_s,
            "score": self.score,
            "keys": list(self.keys),
            "error_form": self.error,
        }


_TABLE = (
    Policy(
        "openrlhf",
        "OpenRLHF",
        ("OpenRLHF and its forks",),
        "openrlhf",
        deadline_s=150.0,
        score="raw and sigmoid",
        keys=("rewards", "scores", "extra_logs"),
    ),
    Policy("slime", "slime and miles", ("slime", "miles"), "slime", deadline_s=110.0),
    Policy(
        "llama_factory",
        "LLaMA-Factory",
        ("LLaMA-Factory",),
        "llama_factory",
        keys=("id", "object", "model", "scores"),
    ),
    Policy(
        "nemo_gym",
        "NeMo-Gym",
        ("NeMo-Gym", "NeMo-RL", "verifiers and prime-rl", "axolotl"),
        "nemo_gym",
        failure="marked",
        deadline_s=27.0,
        keys=("responses_create_params", "response", "reward", "reward_components"),
    ),
    Policy("vllm", "vLLM", ("vLLM's clients", "verl"), "vllm", score="as asked", keys=("id", "model", "usage")),
    Policy("sglang", "SGLang", ("SGLang's clients",), "sglang", keys=("embedding", "meta_info")),
    Policy(
        "tei",
        "text-embeddings-inference",
        ("text-embeddings-inference's clients",),
        "tei",
        overload=429,
        score="as asked",
        keys=("score",),
        error="tei",
    ),
    Policy(
        "cohere",
        "Cohere rerank",
        ("Cohere's SDK", "Jina's clients"),
        "cohere",
        score="sigmoid",
        keys=("id", "results", "meta"),
        error="message",
    ),
    Policy(
        "rerank",
        "Rerank, on the paths that vLLM and Cohere share",
        ("Cohere's SDK", "vLLM's clients"),
        "",
        score="sigmoid",
        keys=("id", "model", "usage", "results", "meta"),
        error="rerank",
    ),
    Policy(
        "judge",
        "OpenAI chat completions, answered by a recipe",
        ("RLinf", "ms-swift", "ROLL", "SkyRL", "verifiers", "verl's generative rewards"),
        "judge",
        overload=429,
        deadline_s=110.0,
        keys=("id", "object", "created", "model", "choices", "usage"),
        error="openai",
    ),
    Policy(
        "graders",
        "OpenAI graders",
        ("OpenAI's SDK",),
        "openai",
        overload=429,
        deadline_s=110.0,
        keys=("reward", "sub_rewards", "model_grader_token_usage_per_model", "metadata"),
        error="openai",
    ),
    Policy(
        "reward_kit",
        "reward-kit",
        ("Fireworks reward-kit",),
        "reward_kit",
        failure="null",
        keys=("score", "is_score_valid", "reason", "metrics", "step_outputs", "error"),
    ),
    Policy(
        "unirl",
        "UniRL",
        ("UniRL",),
        "unirl",
        failure="absent",
        deadline_s=270.0,
        keys=("results", "errors"),
        error="detail",
    ),
    Policy(
        "flow_grpo",
        "Flow-GRPO and verl-omni",
        ("Flow-GRPO", "verl-omni"),
        "flow_grpo",
        deadline_s=110.0,
        error="no_500",
    ),
    Policy(
        "cosmos_rl",
        "Cosmos-RL",
        ("Cosmos-RL",),
        "cosmos_rl",
        deadline_s=300.0,
        keys=("scores", "input_info", "duration", "decoded_duration", "type"),
        error="message",
    ),
    Policy(
        "robometer",
        "robometer",
        ("robometer's clients",),
        "robometer",
        deadline_s=110.0,
        keys=("outputs_preference", "outputs_progress", "outputs_success"),
    ),
    Policy("roll", "ROLL", ("ROLL",), "roll", deadline_s=17.0, keys=("errcode", "errmsg")),
    Policy("flow_factory", "Flow-Factory", ("Flow-Factory",), "flow_factory", deadline_s=50.0, keys=("rewards",)),
)

POLICIES: dict[str, Policy] = {policy.name: policy for policy in _TABLE}
"""Every dialect by its name."""


def check_failures(chosen: dict[str, Any]) -> None:
    """Raise ValueError where the operator's setting ``dialect_failures`` names no dialect."""
    if unknown := sorted(set(chosen) - set(POLICIES)):
        raise ValueError(f"dialect_failures names no dialect: {', '.join(unknown)} (there are: {', '.join(POLICIES)})")
