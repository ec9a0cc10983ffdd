"""Requests that Triton hands over together share one batch, and each gets its own rows back."""

import numpy as np
from reward_models.runtime.rows import Answer
from reward_models.runtime.triton import gather_rows


def tensor(*values: bytes) -> np.ndarray:
    return np.array(values, np.object_).reshape(-1, 1)


def test_rows_of_several_requests_stand_one_after_another() -> None:
    columns, ends = gather_rows([{"response": tensor(b"a", b"b")}, {"response": tensor(b"c")}])
    assert columns == {"response": [b"a", b"b", b"c"]}
    assert ends == [2, 3]


def test_a_tensor_that_one_request_leaves_out_is_empty_in_its_rows() -> None:
    columns, _ = gather_rows([{"response": tensor(b"a")}, {"response": tensor(b"b"), "messages": tensor(b"[]")}])
    assert columns["messages"] == [b"", b"[]"]


def test_a_request_gets_its_own_rows_and_errors() -> None:
    answer = Answer(np.array([[1], [np.nan], [3]], np.float32), np.array([0, 1, 2], np.uint32), {1: "model_error: no"})
    share = answer.slice_rows(1, 3)
    assert share.flags.tolist() == [1, 2]
    assert share.errors == {0: "model_error: no"}
    assert np.isnan(share.scores[0, 0])
