"""Every effect that an operation may perform has one handler, for exactly that type."""

import inspect
from typing import get_origin

from reward_gateway.operations import effects
from reward_gateway.scoring.effect_handlers import HANDLERS


def effect_types() -> set[type]:
    return {
        value
        for value in vars(effects).values()
        if inspect.isclass(value) and issubclass(value, effects.Effect) and value is not effects.Effect
    }


def test_every_effect_has_a_handler() -> None:
    assert set(HANDLERS) == effect_types()


def test_a_handler_takes_the_effect_that_it_is_registered_for() -> None:
    for effect, handler in HANDLERS.items():
        taken = inspect.signature(handler).parameters["effect"].annotation
        assert (get_origin(taken) or taken) is effect
