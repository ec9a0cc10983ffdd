"""Addresses of Redis: their forms, and what is shown of them."""

import pytest
from reward_gateway.redis_servers.address import Access, RedisAddress, WrongAddress, parse_address
from reward_gateway.redis_servers.clients import access_options, sentinel_options
from reward_gateway.settings import Settings


@pytest.mark.parametrize(
    ("url", "kind", "hosts", "master", "database", "tls"),
    [
        ("redis://host:6379/2", "single", (), "", 0, False),
        ("rediss://host", "single", (), "", 0, True),
        ("unix:///run/redis.sock", "single", (), "", 0, False),
        ("redis+sentinel://a:1,b:2/mymaster", "sentinel", (("a", 1), ("b", 2)), "mymaster", 0, False),
        ("redis+sentinel://a,b/mymaster/3", "sentinel", (("a", 26379), ("b", 26379)), "mymaster", 3, False),
        ("rediss+sentinel://[::1]:1/m", "sentinel", (("::1", 1),), "m", 0, True),
        ("redis+cluster://a:1,b", "cluster", (("a", 1), ("b", 6379)), "", 0, False),
        ("rediss+cluster://a:1/0", "cluster", (("a", 1),), "", 0, True),
    ],
)
def test_every_form_is_read(
    url: str, kind: str, hosts: tuple[tuple[str, int], ...], master: str, database: int, tls: bool
) -> None:
    read = parse_address(url)
    assert (read.kind, read.hosts, read.master, read.database, read.tls) == (kind, hosts, master, database, tls)


@pytest.mark.parametrize(
    "url",
    [
        "http://host",
        "redis://host:99999",
        "redis://host/name",
        "unix://",
        "redis+sentinel://a:1",
        "redis+sentinel://a:1/m/name",
        "redis+sentinel:///m",
        "redis+cluster://a:1/2",
        "redis+cluster://a:0",
        "redis+cluster://:secret@a:1,,b:2",
        "redis+tunnel://a:1",
    ],
)
def test_what_is_no_address_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(WrongAddress) as refused:
        parse_address(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:secret@host:1/2", "redis://host:1/2"),
        ("redis+sentinel://user:secret@a:1,b:2/m/3", "redis+sentinel://a:1,b:2/m/3"),
        ("rediss+cluster://:secret@[::1]:1", "rediss+cluster://[::1]:1"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    read = parse_address(url)
    assert str(read) == shown
    assert "secret" not in repr(read)


def test_a_user_and_a_password_come_from_the_address_or_before_it_from_the_settings() -> None:
    read = parse_address("redis+cluster://alice:p%40ss@a:1")
    assert access_options(read) == {"username": "alice", "password": "p@ss"}
    assert access_options(read.opened_by(Access(username="bob", password="other"))) == {
        "username": "bob",
        "password": "other",
    }
    single = parse_address("redis://alice:p%40ss@host:1/2?protocol=2")
    assert (single.url, str(single)) == ("redis://host:1/2?protocol=2", "redis://host:1/2")
    assert access_options(single.opened_by(Access(password="new"))) == {"username": "alice", "password": "new"}
    socket = parse_address("unix://:one@/run/redis.sock")
    assert (socket.url, access_options(socket)) == ("unix:///run/redis.sock", {"password": "one"})
    assert parse_address("unix:///run/redis.sock?db=1").url == "unix:///run/redis.sock?db=1"
    assert access_options(read.opened_by(Access())) == {"username": "alice", "password": "p@ss"}
    assert sentinel_options(read.opened_by(Access(sentinel_password="third"))) == {"password": "third"}


def read_state_address(**settings: str) -> RedisAddress:
    found = Settings(**settings).state_address  # type: ignore[arg-type]
    assert found is not None
    return found


def test_settings_open_the_server_that_they_name() -> None:
    cache = {"redis_url": "rediss://cache:1", "redis_password": "one", "redis_ca": "/ca.pem"}
    both = {**cache, "state_redis_url": "redis+sentinel://s:1/m", "state_redis_username": "u"}
    assert str(read_state_address(**cache)) == "rediss://cache:1"
    assert access_options(read_state_address(**cache)) == {"password": "one", "ssl_ca_certs": "/ca.pem"}
    state = read_state_address(**both, state_redis_password="two", state_redis_sentinel_password="three")
    assert access_options(state) == {"username": "u", "password": "two"}
    assert sentinel_options(state) == {"password": "three"}


@pytest.mark.parametrize("setting", ["redis_password", "redis_ca", "state_redis_sentinel_username"])
def test_what_opens_no_server_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=f"{setting} opens the server of"):
        Settings(**{setting: "x"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"redis_url": "redis://a:1", "redis_ca": "/ca.pem"}, "redis_ca is for TLS"),
        ({"redis_url": "rediss://a:1", "redis_key": "/key.pem"}, "redis_key needs redis_certificate"),
        ({"redis_url": "redis+cluster://a:1", "redis_sentinel_password": "x"}, "is for Sentinels"),
    ],
)
def test_what_the_address_does_not_use_is_refused(settings: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Settings(**settings)  # type: ignore[arg-type]
