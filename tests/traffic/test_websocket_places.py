"""The WebSockets of one process: a caller leaves places for others, and who gets none is told at once."""

from contextlib import ExitStack

import pytest
from reward_gateway.errors import Overloaded
from reward_gateway.observer import Observer
from reward_gateway.traffic.websocket_places import WebSocketPlaces


class Told(Observer):
    """Keeps the reasons."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def admission_rejected(self, reason: str) -> None:
        self.reasons.append(reason)


def open_all(places: WebSocketPlaces, held: ExitStack, caller: str, tries: int = 20) -> int:
    """How many of so many WebSockets a caller gets."""
    for opened in range(tries):
        try:
            held.enter_context(places.hold(caller))
        except Overloaded:
            return opened
    return tries


def test_a_caller_leaves_places_for_others() -> None:
    told = Told()
    places = WebSocketPlaces(16, told)
    with ExitStack() as held:
        assert open_all(places, held, "a") == 8
        assert open_all(places, held, "b") == 4
        assert open_all(places, held, "c") == 2
        assert places.held == 14
        assert set(told.reasons) == {"websockets"}
    assert places.held == 0


def test_a_place_that_is_given_back_is_free() -> None:
    places = WebSocketPlaces(2)
    for _ in range(3):
        with places.hold("a"), pytest.raises(Overloaded, match="MAX_WEBSOCKETS"), places.hold("a"):
            pass
    assert places.held == 0
