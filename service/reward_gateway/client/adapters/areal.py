"""AReaL.

    export REWARD_GATEWAY_URL=http://HOST:8080 REWARD_GATEWAY_REWARD=RECIPE
    reward_fn: reward_gateway.client.adapters.areal.reward

or, with arguments, ``reward_fn=Reward("RECIPE", "http://HOST:8080")`` in a script.

AReaL runs the function in a pool of processes and makes 0 of a call that has not ended after 15 s, the time in the
pool's queue included. So a call ends by itself 12 s after it was sent, whatever is set, and raises: AReaL tries three
times more, then drops that prompt's samples and goes on. While the service is away, calls wait behind calls that wait;
those for which nothing is left ask once.

AReaL decodes the tokens of prompt and completion with their special tokens; the service reads them back into messages
(guides/chat_text.md).

What a row's columns say in short texts and numbers is the sample's metadata, by which a recipe may choose the scorer.

Samples arrive one by one: a recipe that compares a group (``grpo``) needs ``group: {cohort: {size: N}}``, N being the
samples per prompt, or ``group: {answer: combined}``.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from reward_gateway.client.adapters.rows import REFERENCES, make_sample
from reward_gateway.client.adapters.service import Service, Unscored, is_temporary, require_number
from reward_gateway.errors import GatewayError

TIMEOUT_S = 15.0
"""What AReaL gives a call."""

LONGEST_S = 12.0
"""How long after it was sent a call ends."""

PROBE_S = 0.5
"""What a call for which nothing is left waits for an answer, since the service may be back."""

PAUSE_S = 1.0
"""Seconds after a probe that got no answer at all, in which calls for which nothing is left raise at once."""


class Patience:
    """How long the calls of one process of the pool may wait for the service.

    A call cannot see how long it was in the queue. It knows when it was handed to the pool's processes. If this process
    was free then, nothing was queued before it, and it was sent just then. Else it may have waited for as long as the
    calls before it, in this process, waited for a service that did not answer.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failing_since: float | None = None
        self._begun_at = self._ended_at = self._unanswered_at = float("-inf")
        self._probing = False

    def begin(self, sent: float | None) -> float:
        """Seconds that a call may take. Raises Unscored if nothing is left and a probe has just had no answer.

        Args:
            sent: when the call was handed to the processes; None: not known.
        """
        now = self._begun_at = self._clock()
        begun = now if sent is None or not now - TIMEOUT_S < sent <= now else sent
        if begun >= self._ended_at:
            self._failing_since = None
        elif self._failing_since is not None:
            begun = min(begun, self._failing_since)
        left = LONGEST_S - (now - begun)
        self._probing = left < PROBE_S
        if self._probing and now - self._unanswered_at < PAUSE_S:
            self._ended_at = now
            raise Unscored("the service did not answer the calls before this one, and AReaL's time for it has passed")
        return max(left, PROBE_S)

    def end(self, *, answered: bool) -> None:
        """The call that began last has ended."""
        self._ended_at = self._clock()
        if answered:
            self._failing_since = None
            return
        if self._failing_since is None:
            self._failing_since = self._begun_at
        if self._probing and self._ended_at - self._begun_at > PROBE_S / 2:
            self._unanswered_at = self._ended_at


_patience = Patience()


@dataclass(frozen=True, slots=True)
class Reward:
    """A reward function that can be pickled. What is not given comes from the environment of the worker."""

    recipe: str | None = None
    url: str | None = None
    api_key: str | None = None
    run: str | None = None
    sent: float | None = field(default=None, repr=False, compare=False)
    """When it was pickled, which is when the pool hands a call to its processes; on the machine's monotonic clock."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Reward, (self.recipe, self.url, self.api_key, self.run, time.monotonic())

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: Sequence[int] | None = None,
        completion_ids: Sequence[int] | None = None,
        **columns: Any,
    ) -> float:
        """The reward of one completion. Raises GatewayError or Unscored if there is none."""
        truth = next((columns[name] for name in REFERENCES if columns.get(name) is not None), None)
        longest_s = _patience.begin(self.sent)
        service = Service.of(self.url, self.recipe, self.api_key, run=self.run, longest_s=longest_s, rendered=True)
        answered = True
        try:
            return require_number(service.score([make_sample(prompt, completions, truth, rows=[columns])])[0])
        except GatewayError as error:
            answered = not is_temporary(error)
            raise
        finally:
            _patience.end(answered=answered)


reward = Reward()
"""The reward of one completion, by the recipe that the environment names."""
