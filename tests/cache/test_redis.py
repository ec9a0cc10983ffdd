"""A cache on a real Valkey: what was put is found, and a store in any state costs misses and never a score."""

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest
from reward_gateway.cache import redis as module
from reward_gateway.cache.entries import encode_entry
from reward_gateway.cache.port import Entry
from reward_gateway.cache.redis import RedisCache

from tests.clock import Clock, finish_at_once, turns, until
from tests.delays import delaying_proxy
from tests.ports import free_port

if TYPE_CHECKING:
    from tests.cache.conftest import Heard
    from tests.valkey import Valkey

pytestmark = pytest.mark.anyio

ENTRY = Entry(b"\x00\x00\x80\x3f", 5)


def keys_of(count: int) -> list[bytes]:
    return [os.urandom(32) for _ in range(count)]


async def put(cache: RedisCache, heard: "Heard", *items: tuple[bytes, Entry]) -> None:
    goal = heard.counts["written"] + len(items)
    cache.put_later(items)
    await until(lambda: heard.counts["written"] == goal)


async def miss(cache: RedisCache, count: int) -> None:
    assert await cache.get_many(keys_of(count)) == [None] * count


class TestAHealthyStore:
    async def test_entries_come_back_in_the_order_of_the_keys(self, valkey: "Valkey", connect: Any, heard: Any) -> None:
        cache = connect(valkey.url)
        keys = keys_of(3)
        await put(cache, heard, (keys[0], ENTRY), (keys[2], Entry(b"abcdefgh")))
        assert await cache.get_many([keys[2], keys[1], keys[0], keys[2]]) == [
            Entry(b"abcdefgh"),
            None,
            ENTRY,
            Entry(b"abcdefgh"),
        ]
        assert (heard.counts["redis hits"], heard.counts["redis misses"]) == (3, 1)
        assert await cache.get_many([]) == []
        assert (heard.counts["redis lookups"], heard.counts["redis calls timed"]) == (1, 1)

    async def test_one_lookup_is_one_command_and_one_put_one_pipeline(
        self, valkey: "Valkey", connect: Any, heard: Any
    ) -> None:
        cache = connect(valkey.url)
        keys = keys_of(1000)
        with valkey.client() as client:
            client.config_resetstat()
            await put(cache, heard, *[(key, ENTRY) for key in keys])
            assert None not in await cache.get_many(keys)
            stats: Any = client.info("commandstats")
        assert stats["cmdstat_mget"]["calls"] == 1
        assert stats["cmdstat_set"]["calls"] == 1000
        assert set(stats) <= {"cmdstat_mget", "cmdstat_set", "cmdstat_client|setinfo", "cmdstat_config|resetstat"} | {
            "cmdstat_select",
            "cmdstat_info",
        }

    async def test_lookups_and_the_writer_never_wait_for_each_others_connection(
        self, bad_server: Any, connect: Any, heard: Any
    ) -> None:
        asked: list[bytes] = []
        answer = asyncio.Event()

        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while said := await reader.read(100_000):
                if b"SETINFO" in said:
                    writer.write(b"+OK\r\n" * said.count(b"SETINFO"))
                    continue
                asked.append(said[4:13])
                await answer.wait()
                writer.write(b"*1\r\n$-1\r\n" if b"MGET" in said else b"+OK\r\n")

        cache = connect(await bad_server(hold))
        lookups = []
        for number in range(4):
            lookups.append(asyncio.create_task(miss(cache, 1)))
            await until(lambda number=number: len(asked) == number + 1)  # type: ignore[misc]
        cache.put_later([(b"key", ENTRY)])
        await until(lambda: len(asked) == 5)
        answer.set()
        await asyncio.gather(*lookups)
        await until(lambda: heard.counts["written"] == 1)
        assert heard.counts["get connection"] == heard.counts["put connection"] == 0

    async def test_lookups_at_the_same_moment_share_a_command(self, valkey: "Valkey", connect: Any, heard: Any) -> None:
        cache = connect(valkey.url)
        keys = keys_of(200)
        await put(cache, heard, *[(key, Entry(key[:4])) for key in keys])
        with valkey.client() as client:
            client.config_resetstat()
            found = await asyncio.gather(*(cache.get_many([key]) for key in keys))
            stats: Any = client.info("commandstats")
        assert found == [[Entry(key[:4])] for key in keys]
        assert stats["cmdstat_mget"]["calls"] == 1

    async def test_more_keys_than_a_command_takes_are_found(self, valkey: "Valkey", connect: Any, heard: Any) -> None:
        cache = connect(valkey.url)
        keys = keys_of(10_000)
        await put(cache, heard, *[(key, Entry(key[:8])) for key in keys])
        assert await cache.get_many(keys) == [Entry(key[:8]) for key in keys]

    async def test_entries_expire(self, valkey: "Valkey", connect: Any, heard: Any) -> None:
        (key,) = keys_of(1)
        await put(connect(valkey.url), heard, (key, ENTRY))
        with valkey.client() as client:
            ttl: Any = client.pttl(key)
        assert 50_000 < ttl <= 60_000

    async def test_keys_of_different_lengths_are_found(self, valkey: "Valkey", connect: Any, heard: Any) -> None:
        cache = connect(valkey.url)
        await put(cache, heard, (b"a", ENTRY), (b"a longer one", Entry(b"1234")))
        assert await cache.get_many([b"a longer one", b"a"]) == [Entry(b"1234"), ENTRY]


class TestRubbish:
    @pytest.mark.parametrize(
        "value",
        [
            b"",
            b"garbage",
            b"\x00" * 13,
            encode_entry(b"another key", ENTRY),
            encode_entry(b"key", ENTRY)[:-1],
            encode_entry(b"key", ENTRY) + b"\x00",
            b"\x02" + encode_entry(b"key", ENTRY)[1:],
            encode_entry(b"key", ENTRY)[:6] + b"\xff" + encode_entry(b"key", ENTRY)[7:],
        ],
    )
    async def test_a_value_that_is_not_ours_is_a_miss_and_counted(
        self, valkey: "Valkey", connect: Any, heard: Any, value: bytes
    ) -> None:
        with valkey.client() as client:
            client.set(b"key", value)
        cache = connect(valkey.url)
        assert await cache.get_many([b"key", b"other"]) == [None, None]
        assert (heard.counts["corrupt"], heard.counts["redis misses"]) == (1, 2)
        assert heard.states == []

    async def test_a_key_of_another_type_is_a_miss(self, valkey: "Valkey", connect: Any) -> None:
        with valkey.client() as client:
            client.lpush("key", "x")
        assert await connect(valkey.url).get_many([b"key"]) == [None]

    @pytest.mark.parametrize(
        "reply",
        [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*1\r\n$-1\r\n", b":7\r\n", b"*2\r\n:1\r\n:2\r\n", b"$3\r\nabc\r\n"],
    )
    async def test_a_server_that_talks_nonsense_costs_misses(
        self, clock: Clock, bad_server: Any, connect: Any, heard: Any, reply: bytes
    ) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(1000):
                writer.write(reply)

        cache = connect(await bad_server(talk))
        for _ in range(4):
            asking = asyncio.create_task(miss(cache, 2))
            await clock.advance_until(asking.done)
            await asking
        cache.put_later([(b"key", ENTRY)])
        await clock.advance_until(lambda: heard.counts["dropped"] + heard.counts["written"])


class TestAStoreThatIsNotThere:
    async def test_a_dead_store_costs_next_to_nothing(self, clock: Clock, connect: Any, heard: Any) -> None:
        cache = connect(f"redis://127.0.0.1:{free_port()}", breaker_failures=3)
        for _ in range(3):
            await miss(cache, 10)
        assert heard.states == ["open"]
        for _ in range(50):
            finish_at_once(miss(cache, 10))
        assert heard.counts["get connection"] == 3
        assert (heard.counts["redis lookups"], heard.counts["redis misses"]) == (53, 530)
        assert heard.counts["redis calls timed"] == 3, "a lookup for which the store was not asked has no duration"

    async def test_one_that_accepts_and_never_answers_is_waited_for_only_at_first(
        self, clock: Clock, bad_server: Any, connect: Any, heard: Any
    ) -> None:
        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while await reader.read(1000):
                    pass

        cache = connect(await bad_server(listen), timeout_s=600, breaker_failures=2)
        asking = asyncio.gather(*(miss(cache, 1) for _ in range(100)))
        await clock.advance(601)  # all wait once, at the same time
        await asking
        while heard.states[:1] != ["open"]:
            last = asyncio.create_task(miss(cache, 1))
            await clock.advance_until(last.done, 601)
            await last
        heard.counts.clear()
        for _ in range(10):
            await clock.advance(3600)  # over the pause, and over what a probe waits in the background
            for _ in range(10):
                finish_at_once(miss(cache, 1))
        assert "half_open" in heard.states
        assert "closed" not in heard.states
        assert heard.counts["get timeout"] == 0

    async def test_a_slow_one_is_left_alone_although_it_takes_writes(
        self, clock: Clock, valkey: "Valkey", connect: Any, heard: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with delaying_proxy(valkey.port) as delays:
            cache = connect(delays.url, timeout_s=600, breaker_failures=5, breaker_pause_s=3600)
            monkeypatch.setattr(module, "WRITE_TIMEOUT_S", 1e6)
            (key,) = keys_of(1)
            await put(cache, heard, (key, ENTRY))
            delays.answer_s = 1200.0
            for count in range(1, 6):
                assert heard.states == []
                reading = asyncio.create_task(miss(cache, 1))
                cache.put_later([(key, ENTRY)])
                await clock.advance_until(lambda count=count: heard.counts["written"] > count)  # type: ignore[misc]
                await reading
            assert (heard.states, heard.counts["get timeout"]) == (["open"], 5)
            for _ in range(100):
                finish_at_once(miss(cache, 1))
            for probes in range(1, 4):  # each is late, and the pause doubles
                await clock.advance_until(
                    lambda probes=probes: finish_at_once(miss(cache, 1)) or heard.states.count("open") > probes  # type: ignore[misc]
                )
            assert "closed" not in heard.states
            assert heard.counts["get timeout"] == 5, "a request waited"
            delays.answer_s = 0.0
            await clock.advance_until(lambda: heard.states[-1] == "closed" or finish_at_once(miss(cache, 1)))
            assert await cache.get_many([key]) == [ENTRY]

    async def test_a_killed_store_is_used_again_when_it_is_back(
        self, clock: Clock, valkey: "Valkey", connect: Any, heard: Any
    ) -> None:
        cache = connect(valkey.url)
        (key,) = keys_of(1)
        await put(cache, heard, (key, ENTRY))
        assert await cache.get_many([key]) == [ENTRY]
        valkey.kill()
        try:
            for _ in range(20):
                assert await cache.get_many([key]) == [None]
                cache.put_later([(key, ENTRY)])
            assert heard.states[0] == "open"
        finally:
            await asyncio.to_thread(valkey.start)
        while heard.states[-1] != "closed":
            await clock.advance(60)
            await cache.get_many([key])
            await asyncio.sleep(0.02)
        await put(cache, heard, (key, ENTRY))
        assert await cache.get_many([key]) == [ENTRY]

    async def test_an_idle_connection_that_the_server_closed_is_no_miss(
        self, valkey: "Valkey", connect: Any, heard: Any
    ) -> None:
        cache = connect(valkey.url)
        await put(cache, heard, (b"key", ENTRY))
        with valkey.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
        await turns()
        assert await cache.get_many([b"key"]) == [ENTRY]

    async def test_a_cancelled_lookup_leaves_nothing_for_the_next(
        self, valkey: "Valkey", connect: Any, heard: Any
    ) -> None:
        cache = connect(valkey.url)
        keys = keys_of(500)
        await put(cache, heard, *[(key, Entry(key[:4])) for key in keys])
        for after in range(12):
            task = asyncio.ensure_future(cache.get_many(keys))
            await turns(after)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            some = keys[after : after + 3]
            assert await cache.get_many(some) == [Entry(key[:4]) for key in some]


class TestAStoreThatRefuses:
    async def test_a_full_store_still_answers(self, valkey: "Valkey", connect: Any, heard: Any) -> None:
        cache = connect(valkey.url)
        await put(cache, heard, (b"key", ENTRY))
        with valkey.client() as client:
            client.config_set("maxmemory", "1")
            client.config_set("maxmemory-policy", "noeviction")
            try:
                for sent in range(1, 6):
                    cache.put_later([(b"other", ENTRY)])
                    await until(lambda sent=sent: heard.counts["dropped"] == sent)  # type: ignore[misc]
                assert await cache.get_many([b"key", b"other"]) == [ENTRY, None]
            finally:
                client.config_set("maxmemory", "0")
        assert heard.counts["put full"] >= 1
        assert heard.counts["dropped"] == 5
        assert heard.states == []

    async def test_a_replica_is_read_and_not_written(self, valkey: "Valkey", connect: Any, heard: Any) -> None:
        cache = connect(valkey.url)
        await put(cache, heard, (b"key", ENTRY))
        with valkey.client() as client:
            client.replicaof("127.0.0.1", free_port())
            try:
                cache.put_later([(b"other", ENTRY)])
                await until(lambda: heard.counts["put read_only"] == 1)
                assert await cache.get_many([b"key"]) == [ENTRY]
            finally:
                client.replicaof("NO", "ONE")

    async def test_a_wrong_password_costs_misses(self, valkey: "Valkey", connect: Any, heard: Any) -> None:
        with valkey.client() as client:
            client.config_set("requirepass", "right")
            try:
                cache = connect(valkey.url.replace("127.0.0.1", ":wrong@127.0.0.1"))
                for _ in range(4):
                    await miss(cache, 1)
                assert heard.counts["get auth"] == 3
                assert heard.states == ["open"]
            finally:
                client.config_set("requirepass", "")

    async def test_a_store_that_is_loading_is_a_miss_and_stays_in_use(
        self, bad_server: Any, connect: Any, heard: Any
    ) -> None:
        async def loading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while said := await reader.read(1000):
                writer.write(b"+OK\r\n" * said.count(b"SETINFO") or b"-LOADING Valkey is loading the dataset\r\n")

        cache = connect(await bad_server(loading))
        for _ in range(6):
            await miss(cache, 1)
        assert heard.counts["get loading"] == 6
        assert heard.states == []


class TestWritesInTheBackground:
    async def test_what_does_not_fit_is_dropped_and_counted(self, valkey: "Valkey", connect: Any, heard: Any) -> None:
        cache = connect(valkey.url, max_waiting_bytes=100)
        cache.put_later([(b"k" * 32, ENTRY)] * 2)
        cache.put_later([(b"k" * 32, ENTRY)] * 2)
        assert heard.counts["dropped"] == 2
        await until(lambda: heard.counts["written"] == 2)

    async def test_closing_finishes_what_waits(self, valkey: "Valkey", connect: Any) -> None:
        cache = connect(valkey.url)
        keys = keys_of(2000)
        cache.put_later([(key, ENTRY) for key in keys])
        await cache.close()
        with valkey.client() as client:
            assert client.dbsize() == 2000
