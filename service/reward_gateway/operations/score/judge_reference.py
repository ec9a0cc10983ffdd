"""A judge says whether a response gives the reference's answer."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..effects import Effectful
from ..grading.verdict import read_yes_no
from ..judged import Judged, JudgeParams, JudgeQuestion, ask_panel, find_flags
from ..outcome import ItemError, Outcome, invalid_field
from ..prompts import question
from ..reading.alternatives import Reference
from ..registry import OperationItem, Source, operation

SOURCE = Source("One Token to Fool LLM-as-a-Judge", "https://arxiv.org/abs/2507.08794")


class Params(JudgeParams):
    show_prompt: bool = Field(
        True, description="Show the judge the prompt. Without it, general verifiers were fooled far less."
    )


class Item(OperationItem):
    prompt: str | None = Field(
        None, description="Prompt, shown to the judge where params.show_prompt is on. If omitted: none is."
    )
    response: str | None = Field(None, description="Response to judge. If omitted: the item has to give `answer`.")
    reference: Reference | None = Field(
        None, description="Reference answer that the response should give. If omitted: the item has to give `answer`."
    )
    answer: str | None = Field(
        None, description="The judge's answer, YES or NO in its last line; the judge is then not asked."
    )


@operation("score", "judge_reference", item=Item, params=Params, source=SOURCE, fidelity="second-hand")
def judge_reference(columns: Columns, params: Params) -> Effectful[Outcome]:
    """1 if a judge says that a response gives the reference's answer, else 0; with votes, the share of YES.

    The judge sees prompt, reference and response, and must answer YES or NO (all of its answer, or of its last line);
    anything else is an invalid score. The wording is ours: the published prompt is not known.

    With the guard `master_key`, a response without content (empty, marks alone, an opener with nothing behind it) is
    scored 0 and the judge is not asked, unless the response equals the reference. Give `response` and `reference`, or
    the judge's `answer`. Details: `judge_answer` (a list where there are votes), `guard`.
    """
    fields = {name: columns.objects(name) for name in Item.model_fields}
    invalid: dict[int, Invalid] = {}
    reward = np.full(columns.size, np.nan)
    guards: list[str | None] = [None] * columns.size
    asked: dict[int, list[JudgeQuestion]] = {}
    for i in range(columns.size):
        row = {name: values[i] for name, values in fields.items()}
        try:
            if row["answer"] is not None:
                reward[i] = float(read_yes_no(row["answer"], params.reply))
            elif row["response"] is None or row["reference"] is None:
                raise ItemError("give response and reference, or the judge's answer")
            elif (guard := params.caught(row["response"], row["reference"])) is not None:
                guards[i], reward[i] = guard, 0.0
            else:
                shown = row["prompt"] if params.show_prompt else None
                asked[i] = [same_answer(shown, row["response"], row["reference"])]
        except ItemError as error:
            invalid[i] = invalid_field(str(error), error.param)
    judged: Judged[list[bool]] = yield from ask_panel(params, asked, lambda answer: read_yes_no(answer, params.reply))
    for i, votes in judged.values.items():
        reward[i] = float(np.mean(votes))
    return Outcome(
        reward=reward,
        details={**judged.tell(columns.size), "guard": guards},
        invalid=invalid | judged.invalid,
        flags=find_flags(guards, fields["response"]),
    )


def same_answer(prompt: str | None, response: str, reference: str) -> JudgeQuestion:
    """The question whether a response gives the reference's answer."""
    return question("reference", {"prompt": prompt, "reference": reference, "response": response})
