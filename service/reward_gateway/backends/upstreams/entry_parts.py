"""Parts of an upstream's entry: its limits, and the forms of the protocols that have some of their own."""

from typing import Annotated, Any, Literal, Self

import jmespath
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Part(BaseModel):
    """What every part of the file has."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Limits(Part):
    """Limits of one upstream, per gateway process."""

    in_flight: int = Field(32, ge=1, le=1024, description="Maximum calls in flight, over all replicas.")
    batch: int = Field(64, ge=1, le=4096, description="Maximum rows per call, where the protocol takes several.")
    timeout_s: float = Field(60.0, gt=0, le=3600, description="Timeout of one call.")


class Words(Part):
    """Of ``word_logprob``: the words whose log-probabilities are the score. Each is one token, its space included."""

    positive: str = Field(min_length=1, max_length=64, description="Its log-probability (or log-odds) is the score.")
    negative: str | None = Field(
        None, min_length=1, max_length=64, description="The score is the log-odds of positive against negative."
    )


class Tensors(Part):
    """Of ``oip``: the tensors of the server's model, by the field of a sample or the score that they hold."""

    inputs: dict[str, str] = Field(
        min_length=1,
        description="Field of a sample -> name of the input tensor: texts as BYTES, features.NAME as numbers, and "
        "input_ids, attention_mask and token_type_ids by `tokenizer`.",
    )
    output: Annotated[str, Field(min_length=1)] | Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        "score", description="Name of the output tensor, [n, K] or [n] of any numeric type; or of several, in order."
    )
    valid: str | None = Field(
        None, min_length=1, description="Name of an output tensor [n] that is false for samples without a score."
    )

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.output,) if isinstance(self.output, str) else self.output


class HttpForm(Part):
    """Of ``http``: the request as a template, and where the numbers are in the answer."""

    method: Literal["POST", "PUT"] = Field("POST", description="Method of the request.")
    path: str = Field("/", pattern=r"^/", description="Path below the address.")
    body: Any = Field(description="JSON in which {prompt}, {response}, {messages}, {text} stand for the sample's.")
    rows: str | None = Field(
        None,
        description="Key of the body's list that has one element per sample, as `body` shows one; unset: one sample "
        "per call.",
    )
    answer: str = Field(min_length=1, description="JMESPath of the number, or list of K numbers, of each sample.")

    @field_validator("answer")
    @classmethod
    def _is_path(cls, path: str) -> str:
        try:
            jmespath.compile(path)
        except jmespath.exceptions.JMESPathError:
            raise ValueError("is no JMESPath") from None
        return path

    @model_validator(mode="after")
    def _shows_rows(self) -> Self:
        if self.rows is not None:
            element = self.body.get(self.rows) if isinstance(self.body, dict) else None
            if not isinstance(element, list) or len(element) != 1:
                raise ValueError("`rows` names a key of `body` whose list has one element, as every sample becomes one")
        return self
