"""guards/duplicates: equal responses of a group are flagged, whatever their order."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_gateway.operations.guards import GuardView, Judged

from .judging import judge

LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def duplicates(*members: tuple[str, str | None], **params: Any) -> Judged:
    responses = [response or "" for _, response in members]
    absent = frozenset(i for i, (_, response) in enumerate(members) if response is None)
    groups = [group for group, _ in members]
    view = GuardView(responses, [()] * len(members), {}, {}, groups=groups, without_response=absent)
    return judge("duplicate_in_group", view, **params)


def flags(*members: tuple[str, str | None], **params: Any) -> list[bool]:
    judged = duplicates(*members, **params)
    assert not judged.invalid
    answer: list[bool] = judged.suspicious.tolist()
    return answer


def test_all_that_say_the_same_in_one_group_are_flagged() -> None:
    assert flags(("a", "Paris it is."), ("a", " paris  it is.\n"), ("a", "Rome"), ("b", "Paris it is.")) == [
        *(True, True),
        *(False, False),
    ]


def test_or_all_but_the_first() -> None:
    assert flags(("a", "x"), ("a", "x"), ("a", "X"), keep_first=True) == [False, True, True]


def test_exact_texts_differ_in_case_and_space() -> None:
    assert flags(("a", "x y"), ("a", "X y"), ("a", "x y"), exact=True) == [True, False, True]


def test_short_ones_and_blank_ones_are_let_through() -> None:
    assert flags(("a", "42"), ("a", "42"), ("a", ""), ("a", " "), min_words=2) == [False] * 4
    assert flags(("a", ""), ("a", " \n")) == [False, False]
    assert flags(("a", ""), ("a", " \n"), min_words=0) == [True, True]


def test_what_has_no_response_is_not_let_through_but_invalid() -> None:
    judged = duplicates(("a", "x"), ("a", None), ("a", None), ("a", "x"))
    assert judged.suspicious.tolist() == [True, False, False, True]
    assert sorted(judged.invalid) == [1, 2]
    assert judged.invalid[1].param == "response"


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["x", "X", "y", "z z"])), max_size=8),
    st.randoms(use_true_random=False),
)
@LAWS
def test_the_order_of_samples_changes_nothing(members: list[tuple[str, str | None]], random: Any) -> None:
    order = list(range(len(members)))
    random.shuffle(order)
    plain, shuffled = flags(*members), flags(*(members[k] for k in order))
    assert shuffled == [plain[k] for k in order]
    spared = flags(*members, keep_first=True)
    kinds = {(group, (text or "").lower()) for (group, text), flag in zip(members, plain, strict=True) if flag}
    assert sum(plain) - sum(spared) == len(kinds)
