"""Which language a response is in."""

from typing import Literal, Self

from pydantic import Field, model_validator

from ..columns import Columns
from ..costs import Cost
from ..languages import CANDIDATES, check_languages, choose_candidates, find_likeliest, tell_languages
from ..outcome import Outcome, Row, by_row
from ..reading.params import FinalTextParams
from ..registry import OperationItem, Source, operation

_READ = 400
"""Characters that are read: enough to tell a language, and a bound on the time."""


class Params(FinalTextParams):
    language: str = Field("en", description="The language that is wanted (ISO 639-1).")
    candidates: list[str] = Field(
        CANDIDATES, min_length=1, max_length=75, description="The languages that are told apart (ISO 639-1)."
    )
    how: Literal["match", "confidence"] = Field(
        "match", description="match: 1 if it is the likeliest, else 0. confidence: its probability."
    )

    @model_validator(mode="after")
    def _check_codes(self) -> Self:
        check_languages([self.language, *self.candidates])
        return self


class Item(OperationItem):
    response: str = Field(description="Response; its first 400 characters count.")


@operation(
    "score",
    "language",
    item=Item,
    params=Params,
    source=Source("Lingua language detector", "https://github.com/pemistahl/lingua-py"),
    fidelity="verified",
    cost=Cost(row=2000.0),
)
def language(columns: Columns, params: Params) -> Outcome:
    """Whether a response is in the wanted language, or how probably.

    Told apart from the other candidates by letter trigrams, over the first 400 characters. A response
    without letters is in no language and gives 0. Details: `language`, the likeliest or null.
    """
    candidates = choose_candidates(params.candidates, params.language)

    def compute_row(i: int) -> Row:
        text = columns.objects("response")[i][:_READ]
        if not any(character.isalpha() for character in text):
            return Row(0.0, details={"language": None})
        confidences = tell_languages(text, candidates)
        known = find_likeliest(confidences)
        wanted = confidences[params.language]
        return Row(float(known == params.language) if params.how == "match" else wanted, details={"language": known})

    return by_row(columns.size, compute_row)
