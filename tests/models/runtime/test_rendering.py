"""Text in images: read as it was drawn, compared letter by letter, whatever stands beside it."""

from collections.abc import Callable

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_models.evaluate.rendering import draw_text
from reward_models.runtime.instance import Instance
from reward_models.runtime.regions import find_boxes
from reward_models.runtime.rendering import RenderingScorer, edit_distance, find_quoted, score_similarity
from reward_models.runtime.rows import Columns

from tests.clock import little_work


@pytest.fixture(scope="module")
def scorer(start: Callable[[str], Instance]) -> RenderingScorer:
    return RenderingScorer(start("text_rendering"))


def columns(rows: list[tuple[str, list[bytes]]]) -> Columns:
    return {"prompt": [p.encode() for p, _ in rows], "images": [msgpack.packb(images) for _, images in rows]}


def test_what_is_drawn_scores_one_a_blank_image_zero_and_a_misspelling_between(scorer: RenderingScorer) -> None:
    rows = [('A sign "OPEN DAILY"', [draw_text(text)]) for text in ("OPEN DAILY", "", "OPEM DAILV")]
    answer = scorer.score(columns(rows), 3)
    assert answer.scores[:, 0].tolist() == pytest.approx([1, 0, 7 / 9])
    assert answer.flags.tolist() == [0, 1, 0]


def test_a_row_has_the_same_score_in_any_batch_and_order(scorer: RenderingScorer) -> None:
    rows = [
        ("The words 'Fresh Bread'", [draw_text("Fresh Bread", angle=9)]),
        ("“Route 66”", [draw_text("Route 65", ink="white", paper="navy")]),
        ('"Wet floor"', [draw_text("Wet floor"), draw_text("")]),
    ]
    alone = np.array([scorer.score(columns([row]), 1).scores[0] for row in rows])
    together = scorer.score(columns(rows[::-1]), 3).scores[::-1]
    np.testing.assert_allclose(together, alone, atol=1e-5, rtol=0)
    assert alone[:, 0].tolist() == pytest.approx([1, 6 / 7, 0.5])


def test_a_prompt_that_quotes_nothing_is_an_error_and_no_zero(scorer: RenderingScorer) -> None:
    rows = [("A sign that isn't Ann's", [draw_text("OPEN")]), ('"OPEN"', [draw_text("OPEN")]), ('"OPEN"', [b"broken"])]
    answer = scorer.score(columns(rows), 3)
    assert {row: why.partition(":")[0] for row, why in answer.errors.items()} == {
        0: "missing_field",
        2: "invalid_media",
    }
    assert answer.errors[2].startswith("invalid_media: images[0]: ")
    assert np.isnan(answer.scores[[0, 2]]).all()
    assert answer.scores[1, 0] == 1


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ('Make a sign that says "OPEN"', ["OPEN"]),
        ("A sign 'don't stop' and 'x'", ["don't stop", "x"]),
        ("It's Ann's cat", []),
        ("A poster “Hello” and «Salut» and 「你好」", ["Hello", "Salut", "你好"]),
        ("He said ‘don’t’ now", ["don’t"]),
        ('An empty "" and "  " text', []),
        ('A 24" monitor that shows "HELLO"', ["HELLO"]),
        ('A 6\'2" man holds a sign "HELLO"', ["HELLO"]),
        ('A 12" x 8" print of "CAT"', ["CAT"]),
        ('A sign says "Route 66" beside a 24" screen', ["Route 66"]),
        ('A 7" tablet that shows "Top 10" and "5"', ["Top 10", "5"]),
        ('A poster: "24" TV SALE"', ['24" TV SALE']),
        ('"5"', ["5"]),
        ('A 5 foot" plank with "HELLO"', ["HELLO"]),
        ('A 24" monitor', []),
        ('A 24" and a 27" monitor', []),
        ('A sign with "HELLO', []),
        ("A 24“ monitor that shows “HELLO”", ["HELLO"]),
        ("A “ and then “HELLO”", ["HELLO"]),
        ("A 24” monitor that shows “HELLO”", ["HELLO"]),
        ('A sign that says \\"HELLO\\"', ["HELLO"]),
        ("A sign that says \\'HELLO\\'", ["HELLO"]),
        ('A 24\\" monitor that says \\"HELLO\\"', ["HELLO"]),
        ('写着"你好"的24"屏幕', ["你好"]),
        ("6' of rope and the players' sign 'OPEN'", ["OPEN"]),
        ('"ONE" above "TWO"', ["ONE", "TWO"]),
    ],
)
def test_quoted_texts_are_found_and_apostrophes_are_not_quotation_marks(prompt: str, found: list[str]) -> None:
    assert find_quoted(prompt) == found


@given(st.text("ab1 '", max_size=20), st.text("ab1 ", min_size=1, max_size=20).filter(str.strip))
def test_a_text_between_two_marks_is_found_unless_the_first_follows_a_digit(before: str, inside: str) -> None:
    found = find_quoted(f'{before.replace(chr(39), "")} "{inside}" b')
    assert found == [inside.strip()]


@pytest.mark.parametrize("piece", ['"', " '", "“", "„", "«", "「", " ‘", '1"', 'a" ', "\\", ' "1'])
def test_many_marks_take_time_in_proportion_to_their_number(piece: str) -> None:
    with little_work(5.0):
        find_quoted(piece * 100_000)


def test_an_image_has_to_show_all_that_is_quoted(scorer: RenderingScorer) -> None:
    prompt = 'A door with "OPEN" and "DAILY"'
    rows = [(prompt, [draw_text(text)]) for text in ("OPEN DAILY", "DAILY OPEN", "OPEN")]
    both, turned, one = scorer.score(columns(rows), 3).scores[:, 0]
    assert (both, turned) == (1.0, 1.0)
    assert one < 0.5


def test_case_counts_and_spaces_and_the_shape_of_marks_do_not() -> None:
    assert score_similarity(["Don't stop"], "Don’t\nstop") == 1
    assert score_similarity(["OPEN"], "open") == 0
    assert score_similarity(["one", "two"], "two one") == 1
    assert score_similarity(["one"], "") == 0


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_edits_are_counted_as_by_the_textbook(a: str, b: str) -> None:
    table = {(i, 0): i for i in range(len(a) + 1)} | {(0, j): j for j in range(len(b) + 1)}
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a[i - 1] != b[j - 1]))
    assert edit_distance(a, b) == table[len(a), len(b)]


def test_connected_pixels_are_one_region_with_the_smallest_rectangle() -> None:
    field = np.zeros((60, 80), np.float32)
    field[5:10, 10:40] = 0.8
    field[20, 20], field[21, 21] = 1, 1  # corners touch
    for step in range(30):
        field[30 + step // 2, 30 + step : 36 + step] = 0.9
    flat, corner, slope = find_boxes(field, 0.3)
    assert (flat.x, flat.y, flat.width, flat.height) == pytest.approx((25, 7.5, 30, 5))
    assert flat.score == pytest.approx(0.8)
    assert corner.width * corner.height <= 4
    assert slope.angle == pytest.approx(np.arctan(0.5), abs=0.1)
    assert find_boxes(np.zeros((4, 4), np.float32), 0.3) == []
