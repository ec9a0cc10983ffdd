"""telemetry/tallies.py: what requests add is written soon, once, and before a scrape reads."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry, Histogram
from reward_gateway.telemetry import tallies
from reward_gateway.telemetry.instruments import Instruments
from reward_gateway.telemetry.tallies import Tallies


class Page:
    """Metrics of each kind, and what a scrape would read of them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        make = Instruments(self.registry)
        self.counter, self.gauge = make.counter("posts_total", "Posts."), make.gauge("waiting", "Waiting.")
        self.histogram = make.histogram("seconds", "Seconds.", (0.5, 1.0))

    def read(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"reward_gateway_{name}", labels)


def test_outside_an_event_loop_nothing_waits() -> None:
    page, waiting = Page(), Tallies()
    waiting.count(page.counter, 2)
    waiting.set({page.gauge: 7})
    waiting.observe(page.histogram, 0.25)
    assert (page.read("posts_total"), page.read("waiting"), page.read("seconds_count")) == (2, 7, 1)


async def test_in_a_loop_all_that_came_is_written_together_in_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "WRITE_S", 0.01)
    page, waiting = Page(), Tallies()
    for level in range(3):
        waiting.count(page.counter)
        waiting.set({page.gauge: level})
    assert page.read("posts_total") == page.read("waiting") == 0
    while not page.read("posts_total"):
        await asyncio.sleep(0.01)
    assert (page.read("posts_total"), page.read("waiting")) == (3, 2)
    waiting.count(page.counter)
    while page.read("posts_total") == 3:
        await asyncio.sleep(0.01)
    assert page.read("posts_total") == 4


async def test_whoever_reads_writes_first_and_nothing_is_counted_twice() -> None:
    page, waiting = Page(), Tallies()
    waiting.count(page.counter)
    waiting.write()
    waiting.write()
    assert page.read("posts_total") == 1
    waiting.count(page.counter)
    await asyncio.to_thread(waiting.write)
    assert page.read("posts_total") == 2


async def test_a_gauge_may_rise_and_fall() -> None:
    page, waiting = Page(), Tallies()
    for change in (1, 1, -1):
        waiting.count(page.gauge, change)
    waiting.write()
    assert page.read("waiting") == 1


def test_a_histogram_of_many_is_that_of_each() -> None:
    page, registry = Page(), CollectorRegistry()
    one_by_one = Histogram("reward_gateway_seconds", "Seconds.", buckets=(0.5, 1.0), registry=registry)
    values = [0.1, 0.5, 0.500001, 1.0, 2.0]
    page.histogram.observe_many(values)
    for value in values:
        one_by_one.observe(value)
    for bound in ("0.5", "1.0", "+Inf"):
        assert page.read("seconds_bucket", le=bound) == registry.get_sample_value(
            "reward_gateway_seconds_bucket", {"le": bound}
        )
    assert page.read("seconds_sum") == pytest.approx(sum(values))
