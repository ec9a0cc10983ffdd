"""Responses in another language than was asked for."""

import re
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import Invalid

from ..costs import Cost
from ..languages import CANDIDATES, check_languages, choose_candidates, find_likeliest, tell_languages
from ..registry import OperationParams
from .registry import GuardView, Judged, explain_missing, guard, refuse_without_response

_BEGINNING = 2000
"""Characters of a text that are looked at; of what is left of them the first 400 are read."""
_READ = 400
_NO_LANGUAGE = re.compile(r"```.*?(?:```|\Z)|\$[^$]*\$|\\\(.*?\\\)|\\\[.*?\\\]|https?://\S+", re.DOTALL)


def _read_prompt(params: "WrongLanguage") -> frozenset[str]:
    return frozenset() if params.language else frozenset(("prompt",))


class WrongLanguage(OperationParams):
    language: str | None = Field(
        None, description="The language that is wanted (ISO 639-1). If omitted: that of the sample's prompt."
    )
    candidates: list[str] = Field(
        CANDIDATES, min_length=1, max_length=75, description="The languages that are told apart (ISO 639-1)."
    )
    min_letters: int = Field(20, ge=1, description="Fewer letters tell no language.")

    @model_validator(mode="after")
    def _check_codes(self) -> Self:
        check_languages([*self.candidates, *filter(None, [self.language])])
        return self


@guard("wrong_language", WrongLanguage, reads=_read_prompt, cost=Cost(row=4000.0, unit=0.02))
def wrong_language(view: GuardView, params: WrongLanguage) -> Judged:
    """The response is in another language than is wanted, or than its prompt.

    Told by letter trigrams from the first 400 characters, without fenced code, mathematics between dollars or in
    `\\(…\\)`, and addresses; flagged where another candidate is likelier than the wanted language, or the letters
    belong to none of them. The more candidates, the more a short text is mistaken. It needs the extra `language`;
    without it a recipe does not load, and says so.

    A response of fewer than `min_letters` letters is let through: a number is in no language. Where `language` is
    omitted, a prompt that is missing or of fewer leaves nothing to compare with: its sample cannot be judged and is
    invalid, as is one without a response.
    """
    invalid = refuse_without_response(view, "wrong_language")
    suspicious = np.zeros(view.size, dtype=bool)
    for i, response in enumerate(view.responses):
        if i in invalid or i in view.settled:
            continue
        wanted = params.language
        if wanted is None:
            prompt = view.prompts[i]
            told = None if prompt is None else _tell(prompt, params, None)
            if told is None or not told[0]:
                invalid[i] = explain_missing("wrong_language", "prompt") if prompt is None else _explain_silence(params)
                continue
            wanted = told[0]
        told = _tell(response, params, wanted)
        suspicious[i] = told is not None and told[0] != wanted
    return Judged(suspicious, invalid)


def _tell(text: str, params: WrongLanguage, wanted: str | None) -> tuple[str | None] | None:
    """The likeliest language of a text, None within if its letters are of none; None if it has too few."""
    words = _NO_LANGUAGE.sub(" ", text[:_BEGINNING])[:_READ]
    if sum(map(str.isalpha, words)) < params.min_letters:
        return None
    return (find_likeliest(tell_languages(words, choose_candidates(params.candidates, wanted))),)


def _explain_silence(params: WrongLanguage) -> Invalid:
    return Invalid(
        "invalid_field",
        f"the prompt tells no language: it has fewer than {params.min_letters} letters, or none of a candidate; name "
        "`language` in the guard wrong_language",
        param="prompt",
    )
