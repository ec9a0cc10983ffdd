"""score/language."""

from typing import Any

import pytest
from reward_gateway.errors import InvalidRequest

TEXTS = {
    "en": "How are you doing this fine morning?",
    "de": "Das ist doch gar keine schlechte Idee.",
    "zh": "今天天气很好。",
}


@pytest.mark.parametrize("wanted", list(TEXTS))
def test_a_response_matches_its_own_language_only(call: Any, wanted: str) -> None:
    results = call("score/language", *({"response": text} for text in TEXTS.values()), language=wanted)
    assert [result["reward"] for result in results] == [float(code == wanted) for code in TEXTS]
    assert [result["details"]["language"] for result in results] == list(TEXTS)


def test_confidence_is_a_probability(call: Any) -> None:
    german, english = (
        call("score/language", {"response": TEXTS["de"]}, language=code, how="confidence")[0]["reward"]
        for code in ("de", "en")
    )
    assert 0.0 <= english < 0.5 < german <= 1.0


@pytest.mark.parametrize("response", ["", "123 + 4", "🙂"])
def test_without_letters_there_is_no_language(call: Any, response: str) -> None:
    (result,) = call("score/language", {"response": response})
    assert (result["reward"], result["details"]["language"]) == (0.0, None)


def test_a_language_that_cannot_be_told_is_refused(call: Any) -> None:
    with pytest.raises(InvalidRequest, match="tlh"):
        call("score/language", {"response": "nuqneH"}, language="tlh")
