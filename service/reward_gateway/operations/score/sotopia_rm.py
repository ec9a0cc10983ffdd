"""The regression reward model of Sotopia-RL, asked for one utterance."""

from pydantic import Field

from ..columns import Columns
from ..effects import Effectful
from ..hosted import ask_model, samples
from ..names import HostedReward
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Sotopia-RL: Reward Design for Social Intelligence", "https://arxiv.org/abs/2508.03905")


class Params(OperationParams):
    model: HostedReward = Field("sotopia_rm", description="Hosted regression model: one logit of prompt and utterance.")


class Item(OperationItem):
    prompt: str = Field(description="The dialogue so far.")
    response: str = Field(description="The utterance to score.")


@operation("score", "sotopia_rm", item=Item, params=Params, source=SOURCE, fidelity="verified")
def sotopia_rm(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Reward of one utterance in a social dialogue, by a hosted regression model.

    r = the one logit of a sequence classifier over prompt + utterance + end of sequence, trained with squared error on
    the values of `credit/sotopia` (the paper's: Qwen2.5-7B with LoRA, at most 4,096 tokens). Template and truncation
    belong to the hosted model. Details: `model_version`.
    """
    rows = list(range(columns.size))
    batch = samples(columns.size, prompts=columns.objects("prompt"), responses=columns.objects("response"))
    answer = yield from ask_model(params.model, batch, rows, columns.size)
    return Outcome(
        reward=answer.values[:, 0],
        details={"model_version": [answer.version] * columns.size},
        invalid=answer.invalid,
        flags=answer.flags,
    )
