"""Which addresses are public."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.intake.fetch.addresses import is_public

CLOSED = {
    "unspecified": ("0.0.0.0", "0.1.2.3", "::"),
    "loopback": ("127.0.0.1", "127.255.255.254", "::1"),
    "private": ("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1", "fec0::1"),
    "link-local": ("169.254.1.1", "fe80::1", "fe80::1%eth0"),
    "metadata": (
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd20:ce::254",
    ),
    "behind a carrier's NAT": ("100.64.0.1", "100.127.255.255"),
    "documentation": ("192.0.2.1", "198.51.100.7", "203.0.113.9", "2001:db8::1", "3fff::1"),
    "benchmarks": ("198.18.0.1", "198.19.255.255", "2001:2::1"),
    "multicast": ("224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"),
    "reserved": ("240.0.0.1", "255.255.255.255", "192.0.0.8", "100::1", "4000::1", "5f00::1"),
    "mapped and compatible": ("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "::127.0.0.1", "::8.8.8.8"),
    "6to4": ("2002:7f00:1::", "2002:a00:1::1", "2002:808:808::1", "192.88.99.1"),
    "Teredo": ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:7f00:1::"),
    "NAT64": ("64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8"),
    "identifiers that are no places": ("2001:20::1", "2001:10::1"),
}
OPEN = ("8.8.8.8", "1.1.1.1", "9.9.9.9", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "11.0.0.1")
OPEN_6 = ("2606:4700:4700::1111", "2a00:1450:4001:800::200e", "2001:4860:4860::8888", "64:ff9b::8.8.8.8")


@pytest.mark.parametrize("text", [text for texts in CLOSED.values() for text in texts])
def test_a_closed_address_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", OPEN + OPEN_6)
def test_an_open_address_is_public(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.ip_addresses(v=4))
def test_nothing_is_public_that_the_registry_keeps_for_itself(address: IPv4Address) -> None:
    if is_public(address):
        assert address.is_global
        assert not any((address.is_multicast, address.is_reserved, address.is_private))


@given(st.ip_addresses(v=6))
def test_no_public_address_carries_another_inside(address: IPv6Address) -> None:
    if is_public(address):
        assert address.is_global
        assert address.ipv4_mapped is None
        assert address.sixtofour is None
        assert address.teredo is None


@given(st.ip_addresses(v=4))
def test_a_translated_address_is_as_public_as_the_one_inside(address: IPv4Address) -> None:
    assert is_public(IPv6Address(f"64:ff9b::{address}")) == is_public(address)
