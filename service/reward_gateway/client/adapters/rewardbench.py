"""rewardbench: a recipe measured as if it were a reward model.

    export REWARD_GATEWAY_URL=http://HOST:8080
    python -m reward_gateway.client.adapters.rewardbench --model RECIPE --tokenizer TOKENIZER --not_quantized …

All arguments are those of the command ``rewardbench``; nothing is loaded but the tokenizer, whose chat template renders
the conversations (any template that the service reads: its page on chat formats). In a script of your own, put
:class:`RewardGatewayPipeline` where ``REWARD_MODEL_CONFIG`` wants a ``pipeline_builder``. A text without a score
raises, and ends the measurement.
"""

import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from reward_gateway.client.adapters.service import Service


class RewardGatewayPipeline:
    """Rendered conversations in, raw rewards out.

    Args:
        task: not used, as rewardbench's own pipelines do not.
        model: what :func:`build_model` gave: the recipe's name.
        tokenizer: kept, since rewardbench looks at it.
    """

    def __init__(self, task: str, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        self._service = Service.of(reward=getattr(model, "recipe", None))

    def __call__(self, samples: Sequence[str], **settings: Any) -> list[dict[str, Any]]:
        """A row per text: its score. Raises GatewayError where one has none."""
        body = {"input": list(samples), "use_activation": False}
        rows = self._service.post("/classify", body)["data"]
        return [{"label": "reward", "score": float(row["probs"][0])} for row in rows]


def build_model(recipe: str, **settings: Any) -> Any:
    """What stands for the model: the recipe's name, and the configuration that rewardbench writes to."""
    return SimpleNamespace(recipe=recipe, config=SimpleNamespace(pad_token_id=None))


def main() -> None:
    """The command ``rewardbench``, to which the recipe after ``--model`` is known."""
    from rewardbench import rewardbench
    from rewardbench.models import REWARD_MODEL_CONFIG

    REWARD_MODEL_CONFIG[sys.argv[sys.argv.index("--model") + 1]] = {
        "model_builder": build_model,
        "pipeline_builder": RewardGatewayPipeline,
        "quantized": False,
        "custom_dialogue": False,
        "model_type": "Seq. Classifier",
    }
    rewardbench.main()


if __name__ == "__main__":
    main()
