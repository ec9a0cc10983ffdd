"""A batch as the columns of the table of fields."""

from reward_gateway.sample import Batch, Invalid, Media
from reward_gateway.sample.fields import FIELDS

ROWS = 3
COLUMNS = {field.name: [f"{field.name} {i}" for i in range(ROWS)] for field in FIELDS if field.in_batch}


def filled() -> Batch:
    batch = Batch([], [], [])
    for name, values in COLUMNS.items():
        batch.set_column(name, list(values))
    return batch


def test_every_field_is_read_by_its_name() -> None:
    batch = filled()
    assert {name: batch.column(name) for name in COLUMNS} == COLUMNS
    assert batch.references == COLUMNS["reference"]
    assert batch.group_names == COLUMNS["group"]


def test_a_selection_has_every_column_and_no_failure() -> None:
    batch = filled()
    batch.invalid[1] = Invalid("guard", "caught")
    chosen = batch.select([2, 0])
    assert {name: chosen.column(name) for name in COLUMNS} == {n: [v[2], v[0]] for n, v in COLUMNS.items()}
    assert chosen.invalid == {}


def test_a_column_that_no_sample_fills_stays_none() -> None:
    batch = Batch(["0"], ["p"], ["r"], images=[[Media(b"x")]])
    for field in FIELDS:
        if field.name not in ("id", "prompt", "response", "images"):
            assert batch.column(field.name) is None
            assert batch.select([0]).column(field.name) is None
    batch.set_column("a field of the table without an attribute", ["x"])
    batch.set_column("a field of the table without an attribute", None)
    assert batch.further == {}


def test_a_reason_about_an_image_is_said_of_the_place_where_it_came() -> None:
    place = "prompt[0].content[1].image_url"
    images = [[Media(b"a", param=place), Media(b"b", param="images[0]")], [Media(b"c")]]
    batch = Batch(["a", "b"], ["", ""], ["", ""], images=images)

    def locate(row: int, param: str | None) -> tuple[str, str | None]:
        found = batch.locate(row, Invalid("invalid_media", f"{param}: An image is broken.", param=param))
        return found.message, found.param

    assert locate(0, "images[0]") == (f"{place}: An image is broken.", place)
    assert locate(0, "images[1]") == ("images[0]: An image is broken.", "images[0]")
    for row, param in ((1, "images[0]"), (0, "images[7]"), (0, "frames[0]"), (0, "prompt"), (0, None)):
        assert locate(row, param) == (f"{param}: An image is broken.", param)


def test_a_flag_is_added_once_and_is_not_a_part_of_a_selection() -> None:
    batch = Batch(["a", "b"], ["", ""], ["", ""])
    batch.flag(1, "noticed")
    batch.flag(1, "noticed", "and this")
    assert batch.flags == {1: ("noticed", "and this")}
    assert batch.select([1]).flags == {}
