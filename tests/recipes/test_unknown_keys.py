"""A key that nothing has is named, with a similar one that there is, wherever it stands in a recipe file."""

import pytest
from reward_gateway.errors import InvalidRecipe
from reward_gateway.recipes.book import load_book

RECIPE = """
default: mine
rewards:
  mine:
    components:
      brevity: {score: length_penalty, params: {free_words: 2, per_word: 0.25}, transforms: [{affine: {scale: 0.5}}]}
      task: {score: {by: metadata.task, cases: {math: {score: exact_match}}}}
    guards: [{duplicate_in_group: {min_words: 5}}]
    group: {normalize: mean}
"""


@pytest.mark.parametrize(
    ("written", "instead", "message"),
    [
        ("default: mine", "defualt: mine", "unknown key 'defualt'; did you mean 'default'?"),
        ("components:", "component:", "unknown key 'component'; did you mean 'components'?"),
        ("free_words", "free_word", "unknown key 'free_word'; did you mean 'free_words'?"),
        ("params:", "parms:", "unknown key 'parms'; did you mean 'params'?"),
        ("{scale:", "{scales:", "unknown key 'scales'; did you mean 'scale'?"),
        ("{score: exact_match}", "{scored: exact_match}", "unknown key 'scored'; did you mean 'score'?"),
        ("cases:", "casse:", "unknown key 'casse'; did you mean 'cases'?"),
        ("min_words: 5", "min_wrods: 5", "unknown key 'min_wrods'; did you mean 'min_words'?"),
        ("normalize:", "normalise:", "unknown key 'normalise'; did you mean 'normalize'?"),
    ],
)
def test_a_similar_key_is_named(written: str, instead: str, message: str) -> None:
    assert written in RECIPE
    with pytest.raises(InvalidRecipe) as refused:
        load_book(RECIPE.replace(written, instead))
    assert message in [fault["message"][: len(message)] for fault in refused.value.faults]
