"""The address of a visitor: the connection's, unless proxies that are trusted name another."""

import pytest
from reward_gateway.console.addresses import VisitorAddress
from reward_gateway.settings import Settings
from starlette.requests import Request


def find(trusted: tuple[str, ...], client: str, *forwarded: str) -> str:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    request = Request({"type": "http", "client": (client, 1), "headers": headers})
    return VisitorAddress(Settings(trusted_proxies=trusted).trusted_proxies).find(request)


@pytest.mark.parametrize(
    ("trusted", "client", "forwarded", "found"),
    [
        ((), "10.0.0.1", ("8.8.8.8",), "10.0.0.1"),
        (("10.0.0.0/8",), "10.0.0.1", ("8.8.8.8",), "8.8.8.8"),
        (("10.0.0.0/8",), "10.0.0.1", (), "10.0.0.1"),
        (("10.0.0.0/8",), "9.9.9.9", ("8.8.8.8",), "9.9.9.9"),
        (("10.0.0.0/8",), "10.0.0.1", ("1.1.1.1, 8.8.8.8, 10.0.0.2",), "8.8.8.8"),
        (("10.0.0.0/8",), "10.0.0.1", ("1.1.1.1", "8.8.8.8:5000"), "8.8.8.8"),
        (("10.0.0.0/8",), "10.0.0.1", ("8.8.8.8, not an address",), "10.0.0.1"),
        (("10.0.0.1",), "::ffff:10.0.0.1", ("[2001:db8::7]:80",), "2001:db8::7"),
        (("2001:db8::/32",), "2001:db8::1", ("8.8.8.8, 2001:db8::2",), "8.8.8.8"),
    ],
)
def test_only_what_trusted_proxies_add_is_read(
    trusted: tuple[str, ...], client: str, forwarded: tuple[str, ...], found: str
) -> None:
    assert find(trusted, client, *forwarded) == found


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="write an address or a network"):
        Settings(trusted_proxies=("proxy.example.org",))
