"""Going away: no new work at once, the old work finishes."""

import asyncio

import pytest
from reward_gateway.errors import Draining
from reward_gateway.traffic.admission import Admission
from reward_gateway.traffic.drain import Drain

pytestmark = pytest.mark.anyio


async def test_new_work_is_refused_from_the_moment_draining_begins() -> None:
    drain = Drain(Admission(1, 1, 1.0))
    drain.check_accepting()
    drain.begin()
    assert drain.draining
    with pytest.raises(Draining) as refused:
        drain.check_accepting()
    assert refused.value.status == 503
    assert refused.value.retry_after_s


async def test_work_under_way_finishes() -> None:
    admission = Admission(1, 1, 1.0)
    drain = Drain(admission)
    await admission.acquire()
    drain.begin()
    asyncio.get_running_loop().call_later(0.02, admission.release)
    assert await drain.wait_finished(1.0) is True


async def test_draining_gives_up_when_time_runs_out() -> None:
    admission = Admission(1, 1, 1.0)
    drain = Drain(admission)
    await admission.acquire()
    drain.begin()
    assert await drain.wait_finished(0.02) is False


async def test_an_idle_gateway_is_drained_at_once() -> None:
    assert await Drain(Admission(1, 1, 1.0)).wait_finished(0.01) is True
