"""Kept samples, as types for the OpenAPI page. Numbers are finite or null."""

from typing import Any, Literal

from msgspec import Struct

from reward_gateway.kept_samples.kinds import Kind


class KeptImage(Struct):
    """An image or frame, of which no byte is kept; null where its bytes were not here."""

    size: int | None
    sha256: str | None


class KeptComponent(Struct):
    """A component before its transforms and after, and the model that gave it."""

    raw: float | None
    value: float | None
    model: str | None
    model_version: str | None


class KeptInvalid(Struct):
    """Why the sample has no reward."""

    code: str
    component: str | None


class KeptSample(Struct):
    """A sample that was scored. `t`: seconds since 1970. `kinds`: why it is kept. `spread`: standard deviation of the
    rewards of its group; `disagreement`: of its components, each on the scale of its own mean and deviation.
    `reward_raw`: before the comparison within the group, where the recipe compares."""

    id: str
    t: float
    caller: str
    run: str
    step: int | None
    recipe: str
    recipe_version: str
    prompt: Any
    response: Any
    reference: Any
    rubric: list[Any] | None
    images: list[KeptImage]
    frames: list[KeptImage]
    reward: float | None
    reward_raw: float | None
    components: dict[str, KeptComponent]
    flags: list[str]
    invalid: KeptInvalid | None
    spread: float | None
    disagreement: float | None
    kinds: list[Kind]
    mark: Literal["good", "bad", "hack"] | None


class SampleList(Struct):
    """Samples, and where the next page begins; null: this is the last. `total`: how many samples the filters admit.
    `shared`: all workers and pods see the same."""

    samples: list[KeptSample]
    cursor: str | None
    total: int
    shared: bool


class SampleMarked(Struct):
    """The sample's mark."""

    id: str
    mark: Literal["good", "bad", "hack"] | None


class SamplesDeleted(Struct):
    """How many samples were removed."""

    deleted: int
