"""A URL is read once and strictly; what could be read in two ways is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.intake.fetch.failures import FetchFault
from reward_gateway.intake.fetch.urls import MOST_CHARS, Url, UrlRules, read_url

RULES = UrlRules()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("https://example.org/a.png", ("example.org", 443, "/a.png")),
        ("HTTPS://Example.ORG:443/a.png?b=c%20d&e=/#fragment", ("example.org", 443, "/a.png?b=c%20d&e=/")),
        ("https://example.org", ("example.org", 443, "/")),
        ("https://example.org?x=1", ("example.org", 443, "/?x=1")),
        ("https://example.org./a", ("example.org", 443, "/a")),
        ("https://bücher.example/a", ("xn--bcher-kva.example", 443, "/a")),
        ("https://a_b.example.org:80/", ("a_b.example.org", 80, "/")),
        ("https://93.184.216.34/a", ("93.184.216.34", 443, "/a")),
        ("https://[2606:4700:0:0::1111]/a", ("2606:4700::1111", 443, "/a")),
        ("https://127.0.0.1/a", ("127.0.0.1", 443, "/a")),  # plain, and refused when it is to be dialled
    ],
)
def test_a_plain_address_is_read(text: str, parts: tuple[str, int, str]) -> None:
    assert read_url(text, RULES) == Url("https", *parts)


HOSTILE = (
    "http://example.org/a.png",
    "ftp://example.org/a.png",
    "file:///etc/passwd",
    "gopher://example.org/_x",
    "//example.org/a",
    "https:/example.org/a",
    "https:///a",
    "https://",
    "https://:443/a",
    "https://user@example.org/",
    "https://user:word@example.org/",
    "https://example.org@127.0.0.1/",
    "https://example.org\\@127.0.0.1/",
    "https://example.org\\.evil.example/",
    "https://exa mple.org/",
    " https://example.org/",
    "https://example.org/a b",
    "https://example.org/a\r\nHost: other",
    "https://example.org/\x00",
    "https://example.org/ü",
    "https://example%2eorg/",
    "https://%31%32%37.0.0.1/",
    "https://example.org:8443/",
    "https://example.org:22/",
    "https://example.org:0/",
    "https://example.org:99999/",
    "https://example.org:+443/",
    "https://example.org:/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.0.0.01/",
    "https://127.0.0.1.1/",
    "https://1.2.3.256/",
    "https://0/",
    "https://example.0x1/",
    "https://[::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[::1/",
    "https://::1/",
    "https://[not]/",
    "https://[1.2.3.4]/",
    "https://localhost/",
    "https://valkey/",
    "https://a..example.org/",
    "https://.example.org/",
    "https://example.org../",
    "https://-a.example.org/",
    "https://a*.example.org/",
    "https://" + "a" * 64 + ".example.org/",
    "https://" + "a." * 130 + "org/",
    "https://example.org/" + "a" * MOST_CHARS,
    "https://ex\u00adam\u200bple\ufffd.org/",
    "https://ⓔxample。org\uff0f@127.0.0.1/",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_not_plain_is_refused(text: str) -> None:
    with pytest.raises(FetchFault) as found:
        read_url(text, RULES)
    assert (found.value.code, found.value.outcome) == ("invalid_media", "refused")
    assert "example" not in found.value.sentence


@pytest.mark.parametrize("text", ["https://１２７.０.０.１/", "https://127。0。0。1/", "https://①②⑦.0.0.1/"])
def test_digits_in_disguise_are_read_as_digits(text: str) -> None:
    assert read_url(text, RULES).host == "127.0.0.1"


def test_unencrypted_addresses_are_read_where_the_operator_allows() -> None:
    assert read_url("http://example.org/a", UrlRules(http=True)) == Url("http", "example.org", 80, "/a")


def test_only_listed_hosts_are_read_where_there_is_a_list() -> None:
    rules = UrlRules(hosts=("Images.example.org", "*.cdn.example"))
    for host in ("images.example.org", "IMAGES.example.org.", "a.cdn.example", "b.a.cdn.example"):
        read_url(f"https://{host}/a", rules)
    for host in (
        "example.org",
        "a.images.example.org",
        "cdn.example",
        "evilcdn.example",
        "images.example.org.evil.example",
    ):
        with pytest.raises(FetchFault, match="list of hosts"):
            read_url(f"https://{host}/a", rules)


@given(st.text(max_size=60))
def test_whatever_is_read_is_written_so_that_it_is_read_the_same(text: str) -> None:
    for url in (f"https://{text}", f"https://example.org/{text}", f"https://{text}.example.org/"):
        try:
            found = read_url(url, RULES)
        except FetchFault:
            continue
        assert found.host.isascii()
        assert not set("@/\\ %#?") & set(found.host)
        assert read_url(str(found), RULES) == found
