"""operations/json_formats.py: texts that are of a format of JSON Schema, and texts that are not."""

import pytest
from reward_gateway.operations.json_formats import FORMATS

from tests.clock import little_work

RIGHT = {
    "date-time": "2020-02-29T23:59:59Z 1985-04-12t23:20:50.52z 1996-12-19T16:39:57-08:00 1998-12-31T23:59:60Z "
    "1998-12-31T15:59:60.123-08:00",
    "time": "08:30:06Z 08:30:06.283185+01:30 23:59:60Z 01:29:60+01:30",
    "duration": "P1Y P1Y2M3DT4H5M6S PT36H P4W P0D PT0S P1Y2D PT1H2S",
    "email": "a@b.c te~st+x@example.com te.s.t@example.com a@localhost a@[127.0.0.1] a@[IPv6:::1] "
    '"joe.bloggs"@example.com "joe@bloggs"@example.com',
    "hostname": "a.b www.example.com xn--4gbwdl.xn--wgbh1c 1host a-b.c localhost",
    "uri": "http://a.b http://foo.bar/?baz=qux#quux http://user:pw@a.b:80/x?y#z urn:isbn:1 mailto:a@b.c tel:+1 "
    "ldap://[2001:db8::7]/c=GB?objectClass?one http://a.b/%20 file:///etc/x news:a.b http://-.~_!$&'()*+,;=:@h",
    "uri-reference": "/abc abc //a.b/c ?q #f http://a.b ../x . abc/d:e",
    "iri": "http://ƒøø.ßår/?∂éœ=πîx#πîüx http://a.b",
    "iri-reference": "/âππ #ƒräg http://a.b",
    "uri-template": "http://a.b/{x}/{y:3}{?z*,w} {+path} {/a,b} a",
    "json-pointer": "/foo/bar~0/baz~1/%a / /foo// /a~1b",
    "relative-json-pointer": "1 0/foo/bar 2/0/baz/1/zip 0#",
    "regex": "([abc])+\\s+$ ^a",
}
WRONG = {
    "date-time": "2021-02-29T00:00:00Z 2020-02-29 2020-13-01T00:00:00Z 2020-01-01T24:00:00Z 2020-01-01T00:00:00 "
    "2020-01-01T00:00:61Z 2020-01-01T23:58:60Z 2020-01-01T00:00:00+24:00 2020-1-01T00:00:00Z ٢020-01-01T00:00:00Z",
    "time": "08:30 08:30:06 24:00:00Z 22:59:60Z 08:30:06-8:000 8:30:06Z 12:00:00.52 12:00:00Z+01:00",
    "duration": "P PT 4DT12H30M5S P1D1Y P1YT P2S PT1D P1 P1.5D P1W2D p1y",
    "email": "a a@ @b .a@b.c a.@b.c a..b@c.d a@b=c.d a@[127.0.0.300] a@b..c a@-b.c a@b@c",
    "hostname": "-a a- a..b .a a. a_b a.b- a/b ä.b " + "a" * 64 + " " + "a." * 127 + "aa",
    "uri": "//a.b/ /abc abc \\\\WINDOWS\\x :// bar,baz:foo http://a.b/<x> http://a.b/{x} http://[::1 1http://a "
    "http://a.b/%2 http://a.b:x/ http://ƒøø.b #f#g http://a#b#c http://a.b/^",
    "uri-reference": "\\\\WINDOWS #f\\x a{b} //[::1 1:a abc:d^ ƒ",
    "iri": "/abc âππ http://[2001 http://a.b/<x>",
    "iri-reference": "\\\\WINDOWS #ƒ\\räg",
    "uri-template": "http://a.b/{x {x}} {} {x,} {x:0} {x:12345} a<b }",
    "json-pointer": "a /a~ /a~2 #/a ~",
    "relative-json-pointer": "/foo -1/foo +1 01 0## 01/a ٣/a",
    "regex": "^(abc] ( [ *a",
}


def test_every_format_has_texts_of_both_kinds() -> None:
    assert FORMATS.keys() == RIGHT.keys() == WRONG.keys()


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_of_a_format_and_what_is_not(name: str) -> None:
    assert [text for text in RIGHT[name].split() if not FORMATS[name](text)] == []
    assert [text for text in ("x y z\n", *WRONG[name].split()) if FORMATS[name](text)] == (
        ["x y z\n"] if name == "regex" else []
    )


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "piece", ["a", "1", "a.", "a@", "/", "{x", "~1", "%20", '"\\a', "a:", "-", "[", "P1", "a/", "?#"]
)
def test_hostile_texts_take_linear_time(name: str, piece: str) -> None:
    with little_work(0.5):
        FORMATS[name](piece * (200_000 // len(piece)))
