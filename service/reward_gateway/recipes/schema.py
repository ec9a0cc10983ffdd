"""The schema of ``rewards.yaml``. Names and their meaning are checked in :mod:`.compile`.

A step (a transform, a combiner, a credit assignment, a guard) is written as its name, or as a mapping of
its name to its arguments: ``clip`` or ``{clip: {low: -1, high: 1}}``. An argument with the name of one of the
operation's parameters is a parameter; one with the name of an item field says where that field is read:

* a number or a list: that constant, for every sample;
* ``{feature: NAME}``: ``features.NAME`` of the sample;
* ``{sample: FIELD}``: the sample's own ``prompt``, ``response``, ``reference``, ``steps``, ``group`` or ``id``;
* ``{component: NAME}``: the value of an earlier component;
* ``{stored: NAME}``: a named stored set of reference rewards, one for all prompts;
* ``{quantile: Q}``: the reference rewards stored for the sample's prompt, taken at that quantile;
* ``{references: stored}``: the reference rewards stored for the sample's prompt, all of them.

A field without a binding is read from the sample's field of that name, or else from its ``features``.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from reward_gateway.operations.group_rows import Spread
from reward_gateway.operations.groups import EPS, Baseline, Scale
from reward_gateway.operations.registry import Comparison
from reward_gateway.sample import json_text

from .chat_formats import REPLACED_STRIP_TEMPLATE, ChatFormatName, PlainText, TemplateMarks
from .condition_compiler import when_schema
from .judging import Judge

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.\-]{0,63}$")]


Alias = Annotated[str, StringConstraints(min_length=1, max_length=256)]
ModelInput = Literal["prompt", "response", "messages", "steps", "images", "frames", "features"]


def _write_key(value: object) -> object:
    return json_text(value) if isinstance(value, bool | int | float) else value


CaseName = Annotated[str, StringConstraints(min_length=1, max_length=256), BeforeValidator(_write_key)]

Conditions = Annotated[dict[str, Any], WithJsonSchema(when_schema())]
"""When a component is computed; :mod:`.condition_compiler` reads it."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _wrap_step_name(value: object) -> object:
    return {value: {}} if isinstance(value, str) else value


def _default_arguments(value: object) -> object:
    return {} if value is None else value


Arguments = Annotated[dict[str, Any], BeforeValidator(_default_arguments, json_schema_input_type=dict[str, Any] | None)]
Step = Annotated[
    dict[str, Arguments],
    BeforeValidator(_wrap_step_name, json_schema_input_type=str | dict[str, dict[str, Any] | None]),
]
"""One name with its arguments; :mod:`.compile` refuses a mapping of several."""


class CaseSpec(_Model):
    """A scorer and its transforms: a component without conditions, or what is one for some of the samples."""

    score: str = Field(description="An operation of kind score, or a model of the model server.")
    dimension: str | None = Field(None, description="Which of a model's numbers. Required if it has several.")
    params: Arguments = Field(default_factory=dict, description="The operation's parameters.")
    inputs: Arguments = Field(default_factory=dict, description="Where the operation's fields are read.")
    transforms: list[Step] = Field(default_factory=list, description="Applied in order.")
    text: Literal["final", "whole", "reasoning"] | None = Field(
        None,
        description="What is read of the response. final: its last turn without the reasoning. whole: all turns of the "
        "assistant. reasoning: what stands in <think> and its like. Default: the operation's; for models and judges "
        "whole.",
    )
    truncation: Literal["flag", "refuse"] = Field(
        "flag", description="What to do with a text that exceeds the model's limit."
    )


class RoutedScore(_Model):
    """Each sample by its own scorer."""

    by: str = Field(description="The key that chooses: metadata.NAME, or another key of the sample.")
    cases: dict[CaseName, CaseSpec] = Field(
        min_length=1, description="Value of the key -> scorer, with its own transforms. Numbers are their JSON text."
    )
    default: Literal["invalid"] = Field("invalid", description="A sample that fits no case is invalid (missing_field).")


def _read_score(value: object) -> object:
    if isinstance(value, Mapping):
        return RoutedScore.model_validate(value)
    if isinstance(value, str | RoutedScore):
        return value
    raise ValueError("name a scorer, or let a key of the sample choose one: {by: metadata.task, cases: {…}}")


class ComponentSpec(CaseSpec):
    """One number of a reward, and its transforms."""

    score: Annotated[str | RoutedScore, BeforeValidator(_read_score, json_schema_input_type=str | RoutedScore)] = Field(  # type: ignore[assignment]
        description="An operation of kind score, a model of the model server, or cases of these by a key of the sample."
    )
    optional: bool = Field(
        False,
        description="A sample that lacks what this component reads is scored without it, if the combiner allows that.",
    )
    when: Conditions | None = Field(
        None, description="It is computed only where this holds; elsewhere its value is `otherwise`."
    )
    otherwise: float | None = Field(
        None, description="Its value after the transforms where it is not computed. Required with `when`."
    )
    timeout_s: float | None = Field(
        None, gt=0, le=3600, description="Seconds that scoring it may take, within the request's own deadline."
    )
    on_timeout: Literal["invalid", "otherwise"] = Field(
        "invalid",
        description="What a sample becomes for which it was not done in timeout_s: invalid, or scored with `otherwise` "
        "and flagged timed_out.",
    )
    audit: bool = Field(False, description="It is outside the reward: computed to be compared with it, in the monitor.")

    @property
    def scorers(self) -> "tuple[CaseSpec, ...]":
        """The component itself, or its cases."""
        return tuple(self.score.cases.values()) if isinstance(self.score, RoutedScore) else (self,)


def _publish_older_name(schema: dict[str, Any]) -> None:
    schema["properties"]["epsilon"] = {**schema["properties"]["eps"], "title": "Epsilon", "deprecated": True}


class KeepSpec(_Model):
    """Which groups a trainer keeps (DAPO's dynamic sampling); a group has to pass all that is given."""

    std_above: float | None = Field(None, ge=0, description="Standard deviation (divisor n - 1) above this number.")
    accuracy_in: tuple[float, float] | None = Field(
        None, description="Share of members above 0.5, between these two, both included."
    )
    of: Name | None = Field(None, description="The component that is looked at; without it, the combined reward.")

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        if self.std_above is None and self.accuracy_in is None:
            raise ValueError("give std_above, accuracy_in, or both")
        if self.accuracy_in is not None and not 0 <= self.accuracy_in[0] <= self.accuracy_in[1] <= 1:
            raise ValueError("accuracy_in: two shares between 0 and 1, the smaller first")
        return self


class LengthFeature(_Model):
    """Where the length of a response is read."""

    feature: Name = Field(description="A feature of the sample: a number of at least 0.")


class GroupSpec(_Model):
    """How rewards are normalised within their group (the samples of one prompt)."""

    model_config = ConfigDict(json_schema_extra=_publish_older_name)

    normalize: Literal["none", "mean", "zscore", "rloo", "opo", "rank", "gdpo"] = Field(
        "none",
        description="mean: Dr. GRPO. zscore: GRPO. rloo: leave-one-out. opo: baseline weighted by length. gdpo: each "
        "component before weighting. Short for a baseline and a scale, except rank and gdpo.",
    )
    baseline: Baseline | None = Field(
        None,
        description="What is subtracted: the mean of the group, of the others (rloo), or one weighted by length (opo).",
    )
    scale: Scale | None = Field(
        None,
        description="Divisor: the standard deviation of the group, or of the rewards of the whole request (batch_std, "
        "as TRL); whiten: z-scores of the differences over the request (REINFORCE++).",
    )
    spread: Spread = Field("sample", description="Standard deviation with divisor n - 1 (sample) or n (population).")
    length: LengthFeature | None = Field(
        None, description="opo: {feature: NAME}, the length of a response; without it, its words are counted."
    )
    keep: KeepSpec | None = Field(
        None, description="Answers say of each group whether it is kept; rewards are the same."
    )
    weights: dict[str, float] = Field(default_factory=dict, description="gdpo: weight per component, 1 if not named.")
    eps: float = Field(
        EPS,
        ge=0,
        validation_alias=AliasChoices("eps", "epsilon"),
        description="Added to the standard deviation. TRL adds 1e-4; gdpo adds nothing unless this is given. `epsilon` "
        "is its older name.",
    )
    cohort: "CohortSpec | None" = Field(None, description="Collect a prompt's samples across requests first.")
    single: Literal["refuse", "raw", "zero"] = Field(
        "refuse",
        description="A group of which one member alone is valid. refuse: it is invalid (group_of_one). raw: its reward "
        "before the comparison. zero: 0.",
    )
    answer: Literal["normalized", "combined"] = Field(
        "normalized",
        description="What an entry with room for one number answers. combined: the reward before the group, for which "
        "no group is needed.",
    )

    @model_validator(mode="after")
    def _check_ways(self) -> Self:
        if self.normalize != "none" and (self.baseline is not None or self.scale is not None):
            raise ValueError("normalize is short for a baseline and a scale: give it, or these")
        if self.length is not None and self.ways[0] != "opo":
            raise ValueError("length is read by the baseline opo alone")
        return self

    @property
    def ways(self) -> tuple[Baseline, Scale]:
        """Baseline and scale, also where ``normalize`` is short for them; of rank and gdpo: none."""
        short = SHORT.get(self.normalize, ("none", "none"))
        return self.baseline or short[0], self.scale or short[1]

    @property
    def compares(self) -> bool:
        """Whether rewards are normalised."""
        return self.normalize in ("rank", "gdpo") or self.ways != ("none", "none")

    @property
    def compared_within(self) -> frozenset[Comparison]:
        """Within what rewards are normalised: their group, their request, or both."""
        baseline, scale = self.ways
        of_group = self.normalize in ("rank", "gdpo") or baseline != "none" or scale == "group_std"
        of_request = scale in ("batch_std", "whiten")
        within: set[Comparison] = {"group"} if of_group else set()
        return frozenset(within | {"request"} if of_request else within)

    @property
    def way(self) -> str:
        """Its name in pictures: ``zscore``, or ``mean, batch_std``."""
        return self.normalize if self.normalize != "none" else ", ".join(self.ways)

    @property
    def gdpo_eps(self) -> float:
        """What gdpo adds to its standard deviations: nothing, as in its paper, unless the recipe says ``eps``."""
        return self.eps if "eps" in self.model_fields_set else 0.0

    @property
    def of_one(self) -> Literal["refuse", "raw", "zero"]:
        """What becomes of a valid sample that is alone in its group."""
        return "raw" if self.single == "refuse" and self.answer == "combined" else self.single


SHORT: dict[str, tuple[Baseline, Scale]] = {
    "mean": ("mean", "none"),
    "zscore": ("mean", "group_std"),
    "rloo": ("rloo", "none"),
    "opo": ("opo", "none"),
}
"""What ``normalize`` is short for."""


class CohortSpec(_Model):
    """A group that is collected across requests."""

    size: int = Field(ge=2, le=4096, description="Samples per prompt.")
    timeout_s: float = Field(30.0, gt=0, description="How long the first sample waits for the rest.")
    incomplete: Literal["score", "invalid"] = Field("score", description="What to do with an incomplete cohort.")


class AwaitedModel(_Model):
    """A model that need not be served when a recipe is loaded, as far as the recipe has to know it until then."""

    inputs: list[ModelInput] = Field(
        default=["prompt", "response"], min_length=1, description="Fields of a sample that it reads."
    )


class RecipeSpec(_Model):
    """The definition of one reward."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_strip_template(cls, value: object) -> object:
        if isinstance(value, dict) and "strip_template" in value:
            raise ValueError(REPLACED_STRIP_TEMPLATE)
        return value

    description: str = Field("", description="Shown in the list of rewards.")
    components: dict[Name, ComponentSpec] = Field(
        min_length=1, description="The numbers that the reward is made of, by name."
    )
    guards: list[Step] = Field(default_factory=list, description="Each flags samples; `action` sets a further effect.")
    combine: dict[str, Any] | str | None = Field(None, description="A combiner; not needed with one component.")
    group: GroupSpec = Field(
        default_factory=lambda: GroupSpec.model_validate({}),
        description="How rewards are compared with those of the same prompt.",
    )
    credit: Step | None = Field(None, description="Spreads the reward over steps, turns or tokens.")
    on_invalid: Literal["null", "fail", "default"] = Field("null", description="What to do with an unscorable sample.")
    default_reward: float | None = Field(
        None, description="The reward of an unscorable sample with on_invalid: default."
    )
    on_reset: Literal["refuse", "restart"] = Field(
        "refuse",
        description="What to do once the store has lost the recipe's state. refuse: answer state_unavailable until an "
        "operator accepts the loss. restart: begin anew, and flag every sample state_reset until then.",
    )
    awaits: dict[Alias, Annotated[AwaitedModel, BeforeValidator(_default_arguments)]] = Field(
        default_factory=dict,
        description="Models that need not be served when the file is loaded. Until one is, the recipe is listed as not "
        "ready and its samples are invalid (model_unavailable).",
    )
    optional: list[Literal["prompt"]] = Field(
        default_factory=list,
        description="Fields that a sample may lack although the recipe reads them. prompt: it is read as empty.",
    )
    range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        None, description="Lowest and highest reward, if known. Shown in the list of rewards."
    )
    chat_format: ChatFormatName = Field(
        "auto",
        description="Format of the chat text that other systems' clients send, which is read back into messages. auto: "
        "by its marks. none: every text is taken as it is.",
    )
    plain_text: PlainText | None = Field(
        None,
        description="What to do with a text without chat marks where a client sends prompt and response in one: accept "
        "it as the response to an empty prompt, or refuse it. Default: the setting plain_text.",
    )
    template_marks: TemplateMarks = Field(
        "flag",
        description="What to do with a response in which a turn of a chat template begins or ends: flag it as "
        "template_marks, or refuse it too.",
    )
    reasoning: Literal["auto", "opened"] = Field(
        "auto",
        description="opened: the prompt has opened the reasoning (<think>) in which every response begins, so that one "
        "without the closing tag has no answer. auto: it has where the prompt ends in the opening tag.",
    )
    references: Literal["text", "json"] = Field(
        "text",
        description="What a reference is that is a text. json: one that holds a JSON list is the list of accepted "
        "answers. text: it is one answer, whatever it looks like.",
    )
    answer_template: str | None = Field(
        None,
        pattern=r"\{reward\}",
        max_length=1000,
        description="Answer of the chat-completions shim; {reward} is replaced by the number. "
        "Default: Final Score: {reward}",
    )
    canary: "CanarySpec | None" = Field(
        None, description="A new version of this recipe, which scores a share of the groups."
    )
    judge: Judge | None = Field(
        None,
        description="How chat completions are read and answered: a ready-made format (rlinf, ruler, verl, "
        "genrm_remote), or its parts.",
    )


class CanarySpec(_Model):
    """A new version of a recipe that scores a share of the groups, so that it can be watched and promoted."""

    weight: float = Field(
        ge=0,
        le=1,
        description="Share of the groups that the new version scores: 0 rolls it back, 1 promotes it. Always the same "
        "groups, with all their samples; a larger weight adds groups and takes none back. The setting canary_weights "
        "overrides it.",
    )
    recipe: str | None = Field(None, description="The new version: another recipe of this file.")
    models: dict[Alias, Alias] | None = Field(
        None,
        min_length=1,
        description="Short for a recipe that asks another model, {text_preference: text_preference@2}: served model -> "
        "the model that its components ask instead. The recipe is listed as NAME.canary.",
    )

    @model_validator(mode="after")
    def _check_one_form(self) -> Self:
        if (self.recipe is None) == (self.models is None):
            raise ValueError("name the new version with `recipe`, or the models that it replaces with `models`")
        return self


class ExperimentSpec(_Model):
    """A candidate compared with the served model on live samples, after their answers; no answer is changed."""

    model: str = Field(description="The served model, as recipes name it.")
    candidate: str = Field(description="The candidate: another version, NAME@VERSION, or another model.")
    fraction: float = Field(
        0.1, gt=0, le=1, description="Share of the prompts, 0 to 1. Always the same prompts, with all their samples."
    )
    reward: str | None = Field(None, description="The recipe whose samples are compared; all recipes if not set.")


class RecipeFile(_Model):
    """A whole ``rewards.yaml``."""

    rewards: dict[Name, RecipeSpec] = Field(min_length=1, description="The recipes, by name.")
    experiments: dict[Name, ExperimentSpec] = Field(
        default_factory=dict, description="Model versions compared on live traffic, without changing an answer."
    )
    default: str | None = Field(None, description="Recipe for requests that name no reward; the first if not set.")
    model_aliases: dict[Alias, str] = Field(
        default_factory=dict,
        description="Further names of recipes and served models, for clients whose `model` is fixed: "
        "{gpt-4o: helpful}. `*` is every `model` that nothing else has as its name.",
    )


GroupSpec.model_rebuild()
RecipeSpec.model_rebuild()


def json_schema() -> dict[str, Any]:
    """JSON Schema of a recipe file, for editors and checkers."""
    schema = RecipeFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "rewards.yaml", **schema}
