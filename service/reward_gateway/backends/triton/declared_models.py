"""Models that the operator names because their pool of Triton servers may have none at the moment."""

from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field, field_validator

from reward_gateway.backends.port import LONGEST_COLD_START_S, ModelInfo, explain_idle
from reward_gateway.sample.fields import MODEL_INPUTS


class DeclaredModel(BaseModel):
    """A model of a pool that may be scaled to zero."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    cold_start_s: float = Field(
        60.0,
        gt=0,
        le=LONGEST_COLD_START_S,
        description="Seconds that a server needs to start. While the pool has none, requests are answered 503 at once, "
        "with this as `Retry-After`, and the gateway stays ready.",
    )
    inputs: tuple[str, ...] = Field(
        (),
        description="Fields of a sample that the model reads, by which recipes are checked before a server was ever "
        "there. Empty: known once there was one.",
    )
    dimensions: tuple[str, ...] = Field(
        (), max_length=1024, description="Names of its numbers. Empty: known once there was a server."
    )

    @field_validator("inputs")
    @classmethod
    def _are_fields(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if strange := [name for name in names if name not in MODEL_INPUTS]:
            raise ValueError(f"no field of a sample: {', '.join(strange)}; there are {', '.join(MODEL_INPUTS)}")
        return names

    def describe(self, name: str, seen: ModelInfo | None) -> ModelInfo:
        """The model while its pool has no server.

        Args:
            name: as requested.
            seen: the model when there was one, with the version of the scores in the cache.
        """
        if seen is None:
            seen = ModelInfo(name, "", ready=False, inputs=self.inputs, dimensions=self.dimensions, max_batch=0)
        return replace(seen, ready=False, idle=True, fault=explain_idle(name, self.cold_start_s))
