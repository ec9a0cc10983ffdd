"""How a recipe answers as a judge: how it reads a judge's prompt, and in which words it gives the reward.

A trainer that asks a language model for a verdict writes question and answer into one message, and reads the verdict
out of the words that come back. ``judge:`` of a recipe says how both are done; :data:`FORMATS` has what is ready-made.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from reward_gateway.operations.patterns import LONGEST, compile_pattern

from .locations import Path

AnswerForm = Literal["number", "label", "json"]
AddFault = Callable[[Path, str], None]

NUMBER = "Final Score: {reward}"
"""The words around a number, unless the recipe says others."""

READS = ("question", "response", "reference")
"""What a pattern may read out of a judge's prompt."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LabelSpec(_Model):
    """A word for the rewards below a number; the last label of a list has no number."""

    say: str = Field(min_length=1, max_length=1000, description="The label.")
    below: float | None = Field(None, description="It is said of rewards below this number; the last label has none.")


Pattern = Annotated[str | None, Field(max_length=LONGEST)]


class JudgeSpec(_Model):
    """How chat completions are read and answered."""

    format: Literal["rlinf", "ruler", "verl", "genrm_remote"] | None = Field(
        None, description="Ready-made: what follows is set as that trainer's judge needs it, unless it is given here."
    )
    question: Pattern = Field(
        None,
        description="Regular expression with a named group, the question in a judge's prompt; it becomes the sample's "
        "prompt. A dot matches line breaks.",
    )
    response: Pattern = Field(
        None,
        description="Likewise the answer to judge; it becomes the sample's response. Let its group be greedy, up to "
        "what the trainer writes after it, so that no answer can end itself early.",
    )
    reference: Pattern = Field(None, description="Likewise the right answer, where the prompt has one.")
    answer: AnswerForm | None = Field(
        None, description="number (default): the reward in words; label: one of `labels`; json: `template` is JSON."
    )
    labels: tuple[LabelSpec, ...] = Field(
        (), description="Labels by ascending `below`; the last has none and is said of all other rewards."
    )
    template: str | dict[str, Any] | list[Any] | None = Field(
        None,
        description="The answer: {reward} is replaced by the reward, {rounded} by the whole number next to it, {label} "
        "by the label.",
    )


def _wrap_format(value: object) -> object:
    return {"format": value} if isinstance(value, str) else value


Judge = Annotated[JudgeSpec, BeforeValidator(_wrap_format, json_schema_input_type=JudgeSpec | str)]

FORMATS: Mapping[str, Mapping[str, Any]] = {
    # RLinf's builders of inputs for vision-language rewards; its parser looks for one of three words.
    "rlinf": {
        "question": r"\A(?:You are currently performing the task: (?P<question>.*?)\. You are given "
        r"|Task: (?P<question>.*?)\n\nEvaluate the task )",
        "answer": "label",
        "labels": (
            LabelSpec(below=-0.05, say="negative"),
            LabelSpec(below=0.05, say="unclear"),
            LabelSpec(say="positive"),
        ),
    },
    # ART's RULER: several trajectories in one prompt, which are read as JSON and not by a pattern.
    "ruler": {"answer": "json"},
    # The judge of verl's reward loop: a whole number in the last paragraph. Other functions look for "Final Score".
    "verl": {
        "question": r"\AYou are given a problem and a proposed solution\.\n\n"
        r"Problem:\n(?P<question>.*?)\n\nSolution:\n",
        "response": r"\n\nSolution:\n(?P<response>.*)\n\nPlease evaluate how well the solution ",
        "template": "Final Score: {reward}\n\n{rounded}",
    },
    # verl-recipe's genrm_remote: True or False in a box.
    "genrm_remote": {
        "question": r"\n\n\[Math Problem\]\n\n(?P<question>.*?)\n\n\[AI Solution\]\n\n",
        "response": r"\n\n\[AI Solution\]\n\n(?P<response>.*)\n\nYour task is to review and critique the solution ",
        "answer": "label",
        "labels": (LabelSpec(below=0.5, say=r"\boxed{False}"), LabelSpec(say=r"\boxed{True}")),
    },
}
"""Formats by name: the fields of :class:`JudgeSpec` that they set."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A pattern for one field: the sample's field, the regular expression, and the group that holds it."""

    field: Literal["question", "response", "reference"]
    pattern: str
    group: str


@dataclass(frozen=True, slots=True)
class JudgePlan:
    """A judge, ready to answer.

    Attributes:
        readings: patterns that split a judge's prompt; none: it is not split.
        labels: word and upper bound, ascending; the last bound is infinite.
        several: answers RULER's prompts of several trajectories only.
    """

    readings: tuple[Reading, ...] = ()
    answer: AnswerForm = "number"
    labels: tuple[tuple[str, float], ...] = ()
    template: str = NUMBER
    several: bool = False

    def find_label(self, reward: float) -> str:
        """The label of a reward; empty if the recipe has none."""
        return next((say for say, below in self.labels if reward < below), "")

    def write_answer(self, reward: float) -> str:
        """A finite reward in the judge's words."""
        label = self.find_label(reward)
        if self.answer == "json":
            number, label = orjson.dumps(reward).decode(), json.dumps(label)[1:-1]
        else:
            number = format_decimal(reward)
        return _fill(self.template, number, str(round(reward)), label)


def format_decimal(value: float) -> str:
    """Format a number as judges write it: at most six decimals, never an exponent."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _fill(template: str, reward: str, rounded: str, label: str) -> str:
    return template.replace("{reward}", reward).replace("{rounded}", rounded).replace("{label}", label)


def compile_judge(spec: JudgeSpec | None, answer_template: str | None, add_fault: AddFault) -> JudgePlan:
    """The judge of a recipe; without one, a number in the words of ``answer_template``.

    Args:
        add_fault: takes the path within the recipe, and what is wrong there.
    """
    if spec is None:
        return JudgePlan(template=answer_template or NUMBER)
    given = {name: value for name in type(spec).model_fields if (value := getattr(spec, name)) not in (None, ())}
    fields: dict[str, Any] = {**FORMATS.get(spec.format or "", {}), **given}
    answer: AnswerForm = fields.get("answer") or ("label" if "labels" in fields else "number")
    if answer_template is not None and "template" in fields:
        add_fault(("judge", "template"), "answer_template says the same: set one of them")
    template = _compile_template(fields.get("template") or answer_template, answer, spec.format, add_fault)
    labels = _compile_labels(fields.get("labels", ()), add_fault)
    if not labels and (answer == "label" or "{label}" in template):
        add_fault(("judge", "labels"), "give labels, for example [{below: 0, say: bad}, {say: good}]")
    readings = tuple(_compile_reading(name, fields[name], add_fault) for name in READS if name in fields)
    if readings and spec.format == "ruler":
        add_fault(("judge", readings[0].field), "ruler reads its prompts as JSON: patterns would not be used")
    return JudgePlan(readings, answer, labels, template, spec.format == "ruler")


def _compile_reading(name: Any, pattern: str, add_fault: AddFault) -> Reading:
    group = name
    try:
        names = list(compile_pattern(pattern).groupindex)
    except ValueError as error:
        add_fault(("judge", name), str(error))
    else:
        if name not in names and len(names) != 1:
            add_fault(("judge", name), f"name the group that holds it: (?P<{name}>…)")
        elif name not in names:
            group = names[0]
    return Reading(name, pattern, group)


def _compile_labels(labels: tuple[LabelSpec, ...], add_fault: AddFault) -> tuple[tuple[str, float], ...]:
    bounds = [label.below for label in labels]
    for i, below in enumerate(bounds):
        if (below is None) != (i == len(bounds) - 1):
            message = "the last label has no `below`" if below is not None else "only the last label has no `below`"
            add_fault(("judge", "labels", i), message)
    numbers = [below for below in bounds if below is not None]
    if any(after <= before for before, after in pairwise(numbers)):
        add_fault(("judge", "labels"), "labels stand in ascending order of `below`")
    return tuple((label.say, float("inf") if label.below is None else label.below) for label in labels)


def _compile_template(template: Any, answer: AnswerForm, made: str | None, add_fault: AddFault) -> str:
    if made == "ruler":
        if template is not None:
            add_fault(("judge", "template"), "ruler has its own")
        return "{reward}"
    if template is None:
        if answer == "json":
            add_fault(("judge", "template"), 'json needs one, for example {score: "{reward}"}')
        return "{label}" if answer == "label" else NUMBER
    if not isinstance(template, str):
        if answer != "json":
            add_fault(("judge", "template"), "a template that is no text needs `answer: json`")
        template = json.dumps(template, ensure_ascii=False)
        for number in ("{reward}", "{rounded}"):  # a value of its own is the number, within a text it is written
            template = template.replace(f'"{number}"', number)
    if _fill(template, "", "", "") == template:
        add_fault(("judge", "template"), "the answer holds neither {reward} nor {rounded} nor {label}")
    elif answer == "json":
        try:
            orjson.loads(_fill(template, "0.5", "0", "label"))
        except orjson.JSONDecodeError:
            add_fault(("judge", "template"), "it is no JSON once {reward} and {label} are filled in")
    filled: str = template
    return filled
