"""What a request is going to write: collected by kind, checked at once, and added up over its parts."""

from collections.abc import Callable

import numpy as np
import pytest
from reward_gateway.errors import InvalidRequest
from reward_gateway.state.coefficients import Update
from reward_gateway.state.writes import SetVersion, StateWrites

EACH: dict[str, Callable[[StateWrites], StateWrites]] = {
    "moments": lambda writes: writes.merge_moments("m", 1.0, 2.0, 0.0),
    "coefficients": lambda writes: writes.update_coefficient("c", Update("add", 1.0, 1.0)),
    "archives": lambda writes: writes.append_to_archive("a", [[1.0]]),
    "labels": lambda writes: writes.queue_messages("l", ["x"]),
    "references": lambda writes: writes.add_references("r", {"p": [1.0]}),
    "sets": lambda writes: writes.add_set_version("kind", "s", 1, [1]),
}


@pytest.mark.parametrize("kind", EACH)
def test_any_kind_makes_something_to_write(kind: str) -> None:
    writes = StateWrites()
    assert not writes
    assert EACH[kind](writes) is writes
    assert writes
    assert [name for name in EACH if getattr(writes, name)] == [kind]


def test_two_parts_add_up_in_their_order() -> None:
    one = StateWrites().merge_moments("m", 2.0, 2.0, 2.0).append_to_archive("a", [[1.0, 2.0]])
    one.queue_messages("l", ["x", "y"]).add_references("r", {"p": [1.0]}).add_set_version("k", "s", 1, "one")
    other = StateWrites().merge_moments("m", 1.0, 5.0, 0.0).merge_moments("n", 1.0, 7.0, 0.0)
    other.append_to_archive("a", [[3.0, 4.0]]).append_to_archive("b", [[5.0]])
    other.queue_messages("l", ["y", "z"]).queue_messages("o", ["x"])
    other.add_references("r", {"p": [2.0], "q": [3.0]}).add_references("s", {"p": [4.0]}, replace=True)
    other.add_set_version("k", "s", 2, {"two": 2.5})
    assert one.merge(other) is one
    assert one.moments == {"m": (3.0, 3.0, 8.0), "n": (1.0, 7.0, 0.0)}
    assert {name: rows.tolist() for name, rows in one.archives.items()} == {"a": [[1.0, 2.0], [3.0, 4.0]], "b": [[5.0]]}
    assert {table: list(messages) for table, messages in one.labels.items()} == {"l": ["x", "y", "z"], "o": ["x"]}
    written = {name: (write.groups, write.replace) for name, write in one.references.items()}
    assert written == {"r": ({"p": [1.0, 2.0], "q": [3.0]}, False), "s": ({"p": [4.0]}, True)}
    assert one.sets == [SetVersion("k", "s", 1, '"one"'), SetVersion("k", "s", 2, '{"two":2.5}')]


def test_parts_with_vectors_of_two_sizes_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="all of the same size"):
        StateWrites().append_to_archive("a", [[1.0]]).merge(StateWrites().append_to_archive("a", np.ones((1, 2))))
