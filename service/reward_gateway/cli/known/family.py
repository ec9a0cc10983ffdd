"""A family of public reward models, as its file in ``families/`` describes it.

To add a family, add a file. The tests hold every file to this schema, every snippet to what reads it, and ``tried`` to
what tests/convert/test_known.py really converts and loads.
"""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Form = Literal["text", "pair", "messages", "steps", "image", "video", "robot"]
Way = Literal["convert", "upstream", "judge", "none"]
Tried = Literal["scores", "loads", "nothing"]
Fact = Literal["hub", "architecture", "layout", "prompt", "licence"]
"""Fields that may be unknown. A field that could not be verified is listed as such and left out."""

FACTS: tuple[Fact, ...] = get_args(Fact)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Convert(_Part):
    """How a checkpoint becomes a model of the repository."""

    command: Text = Field(description="reward-gateway models add SOURCE --name NAME …")
    layout: Text = Field(description="Tiny checkpoint of the same layout (tests/convert/known_layouts.py).")


class Upstream(_Part):
    """How another server serves it."""

    serve: Text = Field(description="Command that starts the server; or what a server of your own has to do.")
    name: Text = Field(description="Name of the upstream, by which recipes ask for it.")
    entry: dict[str, Any] = Field(description="Its entry in the upstreams file.")


class Judge(_Part):
    """How a chat endpoint serves it."""

    serve: Text = Field(description="Command that starts the server.")
    entry: dict[str, Any] = Field(description="Its entry in the judges file.")


class Family(_Part):
    """A family of models that are served alike."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", description="Name of the file.")
    title: Text
    hub: list[Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]] = Field(
        default_factory=list, description="Ids on the hub, those that the snippets name first."
    )
    scores: Text = Field(description="What its numbers say.")
    form: list[Form] = Field(min_length=1, description="What it reads.")
    architecture: Text | None = Field(None, description="Class in config.json.")
    layout: Text | None = Field(None, description="Backbone and head.")
    prompt: Text | None = Field(None, description="Chat template, or form of the prompt.")
    dimensions: list[Text] = Field(min_length=1, description="Names of its numbers, as the snippets have them.")
    licence: Text | None = Field(None, description="As the hub card says; 'none stated' if it says nothing.")
    sources: list[Annotated[str, StringConstraints(pattern=r"^https://\S+$")]] = Field(min_length=1)
    unverified: list[Fact] = Field(default_factory=list, description="Facts that could not be verified.")
    way: Way = Field(description="The way that is recommended; none: it cannot be served yet, and `note` says why.")
    convert: Convert | None = None
    upstream: Upstream | None = None
    judge: Judge | None = None
    files: dict[str, Text] = Field(default_factory=dict, description="Files that the snippets name: templates.")
    recipe: dict[str, Any] | None = Field(None, description="A recipe file over the snippets' model.")
    note: Text | None = None
    tried: Tried = Field(
        description="scores: the command is run on a tiny random checkpoint of the layout, and its scores are compared "
        "with torch. loads: transformers writes and loads tiny random checkpoints of the classes in `loads`."
    )
    loads: list[Text] = Field(
        default_factory=list, description="Classes of transformers that hold its network, or all of it but the head."
    )
    untried: Text | None = Field(None, description="Why nothing was tried.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for fault in self._faults():
            raise ValueError(fault)
        return self

    def _faults(self) -> list[str]:
        unknown = {fact for fact in FACTS if not getattr(self, fact)}
        wrong = ", ".join(sorted(unknown ^ {*self.unverified}))
        faults = {
            f"facts that are left out are `unverified`, and no others: {wrong}": bool(wrong),
            f"way {self.way} needs its snippet": self.way != "none" and getattr(self, self.way) is None,
            "way none has no snippet, and a note that says why": self.way == "none"
            and (self.note is None or bool(self.ways)),
            "a family that can be served has a recipe": (self.way != "none") != (self.recipe is not None),
            "tried, or untried with a reason": (self.tried == "nothing") != (self.untried is not None),
            "scores are tried by `convert`": (self.tried == "scores") != (self.convert is not None),
            "loads names the classes": (self.tried == "loads") != bool(self.loads),
        }
        return [fault for fault, found in faults.items() if found]

    @property
    def ways(self) -> list[Way]:
        """Every way that serves it, the recommended one first."""
        there: list[Way] = [way for way in ("convert", "upstream", "judge") if getattr(self, way) is not None]
        return sorted(there, key=lambda way: way != self.way)
