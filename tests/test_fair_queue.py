"""Shares of a queue: by weight, first come first served within one, and nobody starves."""

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.fair_queue import WEIGHTS, FairQueue, Priority, Share, charge_to, current_share

TRAINING, OTHER = Share("a"), Share("b")


def fill(queue: FairQueue[int], share: Share, items: int, start: int = 0) -> None:
    for item in range(start, start + items):
        queue.append(share, item)


def take_share(queue: FairQueue[int]) -> Share:
    """The share whose turn it is, and take its item."""
    share, item = queue.first()
    assert queue.take() == item
    return share


def test_one_share_is_first_come_first_served() -> None:
    queue: FairQueue[int] = FairQueue()
    fill(queue, TRAINING, 5)
    assert [queue.take() for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(queue) == 0


@pytest.mark.parametrize(
    ("priorities", "parts"),
    [
        (("training", "training"), (10, 10)),
        (("interactive", "training"), (16, 4)),
        (("training", "batch"), (16, 4)),
        (("interactive", "batch"), (32, 2)),
    ],
)
def test_shares_are_taken_by_weight(priorities: tuple[Priority, Priority], parts: tuple[int, int]) -> None:
    queue: FairQueue[int] = FairQueue()
    first, second = Share("a", priorities[0]), Share("b", priorities[1])
    fill(queue, first, 100)
    fill(queue, second, 100, 100)
    taken = Counter(take_share(queue) for _ in range(sum(parts)))
    assert (taken[first], taken[second]) == pytest.approx(parts, abs=1)


def test_who_comes_back_each_time_does_not_starve_who_waits() -> None:
    queue: FairQueue[int] = FairQueue()
    fill(queue, TRAINING, 10)
    served = []
    for item in range(20, 30):
        queue.append(OTHER, item)
        served.append(take_share(queue))
    assert Counter(served) == {TRAINING: 5, OTHER: 5}


def test_time_without_anything_to_do_is_not_saved_up() -> None:
    queue: FairQueue[int] = FairQueue()
    fill(queue, TRAINING, 100)
    for _ in range(50):
        queue.take()
    fill(queue, OTHER, 100)
    assert Counter(take_share(queue) for _ in range(20)) == {TRAINING: 10, OTHER: 10}


def test_what_costs_more_is_charged_more() -> None:
    queue: FairQueue[int] = FairQueue()
    cost = {TRAINING: 9.0, OTHER: 1.0}
    served: Counter[Share] = Counter()
    fill(queue, TRAINING, 100)
    fill(queue, OTHER, 1000)
    for _ in range(200):
        share, item = queue.first()
        queue.discard(share, item)
        queue.charge(share, cost[share])
        served[share] += int(cost[share])
    assert served[TRAINING] == pytest.approx(served[OTHER], abs=9)


arrivals = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(sorted(WEIGHTS))).map(lambda pair: Share(pair[0], pair[1])),
    max_size=60,
)


@given(waiting=arrivals, served=st.integers(0, 30), share=st.sampled_from([Share("a", p) for p in WEIGHTS]))
def test_the_items_ahead_of_a_newcomer_are_those_that_are_taken_before_it(
    waiting: list[Share], served: int, share: Share
) -> None:
    queue: FairQueue[int] = FairQueue()
    for item, owner in enumerate(waiting):
        queue.append(owner, item)
    for _ in range(min(served, len(queue))):
        queue.take()
    predicted = queue.count_ahead(share)
    queue.append(share, -1)
    taken_before = next(n for n in itertools.count() if queue.take() == -1)
    assert taken_before <= predicted <= taken_before + len(set(waiting))  # one of each other share may be level with it


@given(waiting=arrivals)
def test_every_item_is_taken_once_or_removed_once(waiting: list[Share]) -> None:
    queue: FairQueue[int] = FairQueue()
    for item, owner in enumerate(waiting):
        queue.append(owner, item)
    assert sorted(queue) == list(range(len(waiting)))
    assert sum(queue.count(priority) for priority in WEIGHTS) == len(queue)
    removed = {item for item, owner in enumerate(waiting) if item % 3 == 0 and queue.discard(owner, item)}
    assert not any(queue.discard(owner, item) for item, owner in enumerate(waiting) if item in removed)
    taken = {queue.take() for _ in range(len(queue))}
    assert taken | removed == set(range(len(waiting)))
    assert len(queue) == 0


def test_the_longest_share_is_by_weight_and_gives_up_its_newest() -> None:
    queue: FairQueue[int] = FairQueue()
    interactive = Share("c", "interactive")
    fill(queue, TRAINING, 5)
    fill(queue, interactive, 10, 100)
    assert queue.find_longest() == TRAINING
    assert queue.pop_newest(TRAINING) == 4
    fill(queue, OTHER, 3, 50)
    assert queue.find_longest(OTHER) == OTHER  # as long as the other, with the newcomer


def test_work_is_counted_against_the_share_of_its_request() -> None:
    assert current_share() == Share()
    with charge_to(OTHER):
        assert current_share() == OTHER
    assert current_share() == Share()


def test_preferred_shares_come_first_and_by_the_same_rule_among_them() -> None:
    queue: FairQueue[int] = FairQueue()
    a, b, c = Share("a"), Share("b"), Share("c")
    for item, share in enumerate((a, b, c)):
        queue.append(share, item)
    queue.charge(b, 5)
    assert queue.first() == (a, 0)
    assert queue.first(lambda share: share is not a) == (c, 2)
    assert queue.first(lambda share: share == b) == (b, 1)
    assert queue.first(lambda share: False) == (a, 0)
