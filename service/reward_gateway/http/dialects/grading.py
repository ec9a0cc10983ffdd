"""OpenAI's graders: what they are, and what each says of a sample.

``string_check`` and ``text_similarity`` are rules. ``score_model`` is a recipe where ``model`` names one (the last
message is the response), else a judge of the judges file; ``label_model`` is a judge. ``python`` runs in the sandbox,
if the operator allows code. ``multi`` is arithmetic over the others.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from reward_gateway.errors import InvalidRequest, NotFound, Unscorable
from reward_gateway.operations.answers import last_number
from reward_gateway.operations.judged import json_object
from reward_gateway.operations.outcome import ItemError

from . import placeholders
from .formula import Formula
from .request import DialectRequest
from .similarity import Metric, similarity
from .texts import exchange, messages


class StringCheck(Struct, tag_field="type", tag="string_check"):
    """1 where the comparison holds, else 0."""

    input: str
    reference: str
    operation: Literal["eq", "ne", "like", "ilike"]
    name: str = "string_check"


class TextSimilarity(Struct, tag_field="type", tag="text_similarity"):
    """How alike two texts are."""

    input: str
    reference: str
    evaluation_metric: Metric
    name: str = "text_similarity"


class ScoreModel(Struct, tag_field="type", tag="score_model"):
    """A recipe's reward, or a judge's number."""

    model: str
    input: list[dict[str, Any]]
    name: str = "score_model"
    range: list[float] | None = None
    sampling_params: dict[str, Any] | None = None


class LabelModel(Struct, tag_field="type", tag="label_model"):
    """1 where a judge chooses a label that passes, else 0."""

    model: str
    input: list[dict[str, Any]]
    labels: list[str]
    passing_labels: list[str]
    name: str = "label_model"


class PythonCode(Struct, tag_field="type", tag="python"):
    """A program with ``grade(sample, item)``."""

    source: str
    name: str = "python"
    image_tag: str | None = None


class Multi(Struct, tag_field="type", tag="multi"):
    """Arithmetic over other graders: a mapping of names, or one grader under its own name."""

    graders: dict[str, Any]
    calculate_output: str
    name: str = "multi"

    def parts(self) -> dict[str, Any]:
        """The graders by name, not decoded yet."""
        if isinstance(self.graders.get("type"), str):
            return {str(self.graders.get("name", "grader")): self.graders}
        return self.graders


Simple = StringCheck | TextSimilarity | ScoreModel | LabelModel | PythonCode
Grader = Simple | Multi


def read(value: Any, param: str = "grader") -> Grader:
    """Decode and check a grader. Raises InvalidRequest with the path of the fault."""
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{param}: expected object", param=param)
    try:
        grader: Grader = msgspec.convert(value, Grader)
    except msgspec.ValidationError as error:
        said = str(error).replace("`", "")
        shown = "an unknown type, operation or metric" if said.startswith("Invalid") else said.replace("$", param)
        raise InvalidRequest(f"{param}: {shown}", param=param) from None
    if isinstance(grader, Multi):
        parts = {name: read(part, f"{param}.graders.{name}") for name, part in grader.parts().items()}
        if any(isinstance(part, Multi) for part in parts.values()):
            raise InvalidRequest(f"{param}.graders: a multi grader holds no other", param=f"{param}.graders")
        Formula(grader.calculate_output, parts, f"{param}.calculate_output")
    for template in _templates(grader):
        placeholders.check(template, f"{param}.input")
    return grader


class Grading:
    """One sample, before all graders of a request.

    Attributes:
        scores: reward of each simple grader by name.
    """

    def __init__(self, ask: DialectRequest, sample: str, item: Mapping[str, Any] | None) -> None:
        self._ask = ask
        self._known = placeholders.values(sample, item)
        self.scores: dict[str, float] = {}

    async def grade(self, grader: Grader, param: str = "grader") -> float:
        """What a grader says.

        Raises:
            UnknownVariable: a placeholder names what is not there.
            GatewayError: the grader has no number for this sample.
        """
        match grader:
            case Multi():
                parts = {name: read(part, f"{param}.graders.{name}") for name, part in grader.parts().items()}
                scores = {name: await self.grade(part, f"{param}.graders.{name}") for name, part in parts.items()}
                self.scores = scores
                return Formula(grader.calculate_output, scores, f"{param}.calculate_output")(scores)
            case StringCheck():
                return _checked(grader.operation, *self._pair(grader, param))
            case TextSimilarity():
                text, reference = self._pair(grader, param)
                return await similarity(self._ask.gateway, grader.evaluation_metric, text, reference, param)
            case ScoreModel():
                return await self._scored(grader, param)
            case LabelModel():
                return await self._labelled(grader, param)
            case PythonCode():
                return await self._ran(grader)

    def _pair(self, grader: StringCheck | TextSimilarity, param: str) -> tuple[str, str]:
        sides = (("input", grader.input), ("reference", grader.reference))
        text, reference = (placeholders.fill(side, self._known, f"{param}.{name}") for name, side in sides)
        return text, reference

    def _conversation(self, given: list[dict[str, Any]], param: str) -> list[dict[str, Any]]:
        filled: list[dict[str, Any]] = []
        for i, message in enumerate(given):
            content = message.get("content")
            if isinstance(content, str):
                content = placeholders.fill(content, self._known, f"{param}.input[{i}]")
            elif isinstance(content, dict) and isinstance(content.get("text"), str):
                content = placeholders.fill(content["text"], self._known, f"{param}.input[{i}]")
            filled.append({"role": message.get("role", "user"), "content": content})
        messages(filled, f"{param}.input")
        return filled

    async def _scored(self, grader: ScoreModel, param: str) -> float:
        said = self._conversation(grader.input, param)
        if not self._ask.is_judge(grader.model):
            if not self._ask.gateway.has_reward(grader.model):
                raise NotFound(f"{param}.model: names no recipe and no judge", param=f"{param}.model")
            scores = await self._ask.score([exchange(said, f"{param}.input")], grader.model)
            return scores.numbers()[0]
        low, high = (grader.range or [0.0, 1.0])[:2] if len(grader.range or [0, 1]) == 2 else (0.0, 1.0)
        wanted = f'Answer with JSON alone: {{"result": NUMBER}}, a number from {low:g} to {high:g}.'
        given = (grader.sampling_params or {}).get("temperature")
        temperature = float(given) if isinstance(given, int | float) else 0.0
        words = await self._ask.judge(grader.model, [*said, {"role": "system", "content": wanted}], temperature)
        value = _result(words)
        if value is None or not low <= value <= high:
            raise Unscorable(f"{param}: the judge gave no number from {low:g} to {high:g}")
        return value

    async def _labelled(self, grader: LabelModel, param: str) -> float:
        if not self._ask.is_judge(grader.model):
            raise NotFound(f"{param}.model: names no judge", param=f"{param}.model")
        said = self._conversation(grader.input, param)
        wanted = f"Answer with one of these labels and nothing else: {', '.join(grader.labels)}"
        words = await self._ask.judge(grader.model, [*said, {"role": "system", "content": wanted}])
        chosen = words.strip().strip("\"'.").casefold()
        if chosen not in {name.casefold() for name in grader.labels}:
            raise Unscorable(f"{param}: the judge gave none of the labels")
        return float(chosen in {name.casefold() for name in grader.passing_labels})

    async def _ran(self, grader: PythonCode) -> float:
        value = await self._ask.run_python(grader.source + _DRIVER, self._known)
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise Unscorable("the grader's program returned no finite number")
        return float(value)


_DRIVER = """

def main(known):
    return float(grade(known["sample"], known["item"]))
"""


def _checked(operation: str, text: str, reference: str) -> float:
    match operation:
        case "eq":
            return float(text == reference)
        case "ne":
            return float(text != reference)
        case "like":
            return float(reference in text)
        case _:
            return float(reference.casefold() in text.casefold())


def _result(words: str) -> float | None:
    try:
        value = json_object(words).get("result")
    except ItemError:
        return last_number(words)
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good and value is not None else None


def _templates(grader: Grader) -> list[str]:
    match grader:
        case StringCheck() | TextSimilarity():
            return [grader.input, grader.reference]
        case ScoreModel() | LabelModel():
            return [content for message in grader.input if isinstance(content := message.get("content"), str)]
        case _:
            return []
