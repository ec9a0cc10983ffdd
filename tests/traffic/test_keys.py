"""API keys: who is known, what they may do, and that a comparison tells nothing by its time."""

import base64
import hashlib
import hmac
import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from reward_gateway.errors import PermissionDenied, Unauthenticated
from reward_gateway.fair_queue import Share
from reward_gateway.settings import Settings
from reward_gateway.traffic.keys import (
    ANYBODY,
    ApiKey,
    KeyRing,
    KeysFileError,
    UnsafeExposure,
    check_exposure,
    describe_unchecked_hosts,
    is_key_name,
    is_loopback,
    require_right,
    token_of,
)

SECRET = "correct horse battery"
FILE = f"""
keys:
  - {{name: trainer, key: "{SECRET}", rights: [score], rate: 10/second}}
  - name: keeper
    sha256: {hashlib.sha256(b"the keeper's key").hexdigest()}
    rights: [score, state]
  - {{name: root, key: "the admin's key", rights: [admin]}}
"""


def basic(credentials: str) -> str:
    """The header of HTTP Basic."""
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return load(tmp_path, FILE)


def load(tmp_path: Path, text: str) -> KeyRing:
    path = tmp_path / "keys.yaml"
    path.write_text(text)
    return KeyRing.load(path)


def test_a_key_is_known_by_its_text_or_by_its_hash(ring: KeyRing) -> None:
    assert ring.authenticate(SECRET).name == "trainer"
    assert ring.authenticate("the keeper's key").name == "keeper"


@pytest.mark.parametrize("token", [None, "", "wrong", SECRET + " ", SECRET.upper(), "0" * 64, "ключ", "\udcff"])
def test_every_other_token_is_unknown(ring: KeyRing, token: str | None) -> None:
    with pytest.raises(Unauthenticated) as refused:
        ring.authenticate(token)
    assert not token or len(token) < 5 or token not in refused.value.message


def test_the_hash_of_a_key_is_not_a_key(ring: KeyRing) -> None:
    with pytest.raises(Unauthenticated):
        ring.authenticate(hashlib.sha256(SECRET.encode()).hexdigest())


def test_every_key_is_compared_in_constant_time(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def spy(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return real(a, b)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    ring.authenticate(SECRET)  # the first of three: the others are compared all the same
    assert len(compared) == 3
    assert {len(side) for pair in compared for side in pair} == {32}


def test_rights_hold_and_admin_has_them_all(ring: KeyRing) -> None:
    trainer, root = ring.authenticate(SECRET), ring.authenticate("the admin's key")
    require_right(trainer, "score")
    with pytest.raises(PermissionDenied) as refused:
        require_right(trainer, "state")
    assert refused.value.status == 403
    for right in ("score", "state", "admin"):
        require_right(root, right)


def test_without_a_file_no_key_is_asked_for_and_stray_tokens_are_ignored() -> None:
    ring = KeyRing.load(None)
    assert not ring.required
    assert ring.authenticate(None) is ANYBODY
    assert ring.authenticate("EMPTY") is ANYBODY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("keys: []", "names no key"),
        ("[]", "one list named keys"),
        ("keys: {a: b}", "one list named keys"),
        ("keys: [", "cannot be read"),
        ("keys: " + "9" * 5000, "cannot be read"),
        ("keys: " + "[" * 100_000, "cannot be read"),
        ("keys: 2001-13-45", "cannot be read"),
        ("keys: []\nkeys: []", "line 2 holds a key that its mapping has already"),
        ("keys:\n- {a: ]", "line 2 is not YAML"),
        ("keys: [{name: a}]", "keys[0]: Value error, give either key or sha256"),
        ("keys: [{name: a, key: canary-key, sha256: " + "a" * 64 + "}]", "either key or sha256"),
        ("keys: [{name: a, key: short}]", "8 characters"),
        ("keys: [{name: a, sha256: zz}]", "keys[0].sha256"),
        ("keys: [{name: a, key: canary-key, rights: [fly]}]", "keys[0].rights"),
        ("keys: [{name: a, key: canary-key, rate: often}]", "keys[0].rate"),
        ("keys: [{name: a, key: canary-key, colour: red}]", "keys[0].colour"),
        ("keys: [{name: a, key: canary-key}, {name: a, key: canary-key-2}]", "share a name or a key"),
        ("keys: [{name: a, key: canary-key}, {name: b, key: canary-key}]", "share a name or a key"),
        ("keys: [{name: 'a b', key: canary-key}]", "keys[0].name"),
    ],
)
def test_a_file_with_a_fault_says_where_and_never_repeats_a_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(KeysFileError) as refused:
        load(tmp_path, text)
    assert said in str(refused.value)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("name", ["a", "Trainer-7.EU_west", "x" * 64])
def test_a_name_has_letters_digits_dots_dashes_and_underscores(tmp_path: Path, name: str) -> None:
    ring = load(tmp_path, f"keys: [{{name: {name}, key: 8 signs.}}]")
    assert ring.authenticate("8 signs.").name == name


@pytest.mark.parametrize("name", ["", "x" * 65, "a/b", "ä"])
def test_any_other_name_is_a_fault(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeysFileError, match=r"^keys\[0\]\.name: "):
        load(tmp_path, f"keys: [{{name: '{name}', key: 8 signs.}}]")


def test_a_key_that_says_no_more_may_score_at_the_default_rate(tmp_path: Path) -> None:
    ring = load(tmp_path, "keys: [{name: a, key: some secret}]")
    caller = ring.authenticate("some secret")
    assert caller.rights == ("score",)
    assert caller.rate is None
    assert ring.required


def test_a_ring_takes_the_keys_of_another(tmp_path: Path) -> None:
    ring = load(tmp_path, "keys: [{name: a, key: some secret}]")
    ring.replace(load(tmp_path, "keys: [{name: a, key: other secret}]"))
    assert ring.authenticate("other secret").name == "a"
    with pytest.raises(Unauthenticated):
        ring.authenticate("some secret")


def test_a_missing_file_is_a_fault_and_not_an_open_door(tmp_path: Path) -> None:
    with pytest.raises(KeysFileError):
        KeyRing.load(tmp_path / "none.yaml")


def test_a_key_is_not_in_the_text_of_its_object(ring: KeyRing) -> None:
    assert SECRET not in repr(ring.authenticate(SECRET))


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "token"),
    [
        ("Bearer abc", None, "abc"),
        ("bearer  abc ", None, "abc"),
        (None, "abc", "abc"),
        ("Bearer abc", "def", "abc"),
        ("Basic abc", "def", "def"),
        ("Basic abc", None, None),
        ("Bearer ", None, None),
        (None, None, None),
        (basic("x:abc"), None, "abc"),
        (basic("x:abc").replace("Basic", "basic "), None, "abc"),
        (basic(":abc"), None, "abc"),
        (basic("x:a:b c"), None, "a:b c"),
        (basic("x:ключ"), None, "ключ"),
        (basic("x:proxy"), "abc", "abc"),
        (basic("abc"), None, None),
        (basic("abc:"), None, None),
        (basic("x:abc")[:-3] + "*", None, None),
        ("Basic é", None, None),
        ("Basic ", None, None),
    ],
)
def test_where_a_token_is_read(authorization: str | None, x_api_key: str | None, token: str | None) -> None:
    assert token_of(authorization, x_api_key) == token


def test_a_password_that_is_no_text_is_an_unknown_key(ring: KeyRing) -> None:
    token = token_of(f"Basic {base64.b64encode(b'x:' + bytes([255, 254])).decode()}", None)
    with pytest.raises(Unauthenticated):
        ring.authenticate(token)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    assert is_loopback(host)
    check_exposure(Settings(http_host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "", "localhost.example.org"])
def test_a_public_address_needs_keys_or_a_clear_word(host: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeExposure, match="API_KEYS_FILE"):
        check_exposure(Settings(http_host=host))
    check_exposure(Settings(http_host=host, allow_unauthenticated=True))
    check_exposure(Settings(http_host=host, api_keys_file=tmp_path / "keys.yaml"))


def test_a_public_address_without_keys_is_told_to_name_its_hosts(tmp_path: Path) -> None:
    public = Settings(http_host="0.0.0.0", allow_unauthenticated=True)
    assert "REWARD_GATEWAY_ALLOWED_HOSTS" in describe_unchecked_hosts(public)
    for settings in (
        public.model_copy(update={"allowed_hosts": ("gateway.example.org",)}),
        public.model_copy(update={"api_keys_file": tmp_path / "keys.yaml"}),
        Settings(http_host="127.0.0.1"),
    ):
        assert describe_unchecked_hosts(settings) == ""


def test_a_keys_file_to_which_every_user_may_write_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text("keys: [{name: trainer, key: long enough}]")
    file.chmod(0o644)
    assert KeyRing.load(file).required
    file.chmod(0o646)
    with pytest.raises(KeysFileError, match="chmod o-rwx"):
        KeyRing.load(file)


def test_keys_of_one_tenant_and_priority_share_what_is_scarce() -> None:
    first = ApiKey(name="a", key=SecretStr("long enough"), tenant="team")
    second = ApiKey(name="b", key=SecretStr("long enough too"), tenant="team")
    evaluation = ApiKey(name="c", key=SecretStr("also long enough"), tenant="team", priority="batch")
    assert first.share == second.share == Share("team", "training")
    assert evaluation.share == Share("team", "batch")


def test_a_key_belongs_to_its_tenant_else_to_itself(tmp_path: Path) -> None:
    ring = load(tmp_path, "keys: [{name: a, key: long enough}, {name: b, tenant: a, key: another one}]")
    assert [ring.authenticate(key).caller for key in ("long enough", "another one")] == ["a", "a"]
    assert ANYBODY.caller == "anonymous"
    with pytest.raises(KeysFileError, match="tenant"):
        load(tmp_path, "keys: [{name: a, key: long enough, tenant: a/b}]")


@pytest.mark.parametrize(
    ("name", "fits"),
    [("A.b_c-9", True), ("x" * 64, True), ("x" * 65, False), ("", False), ("a/b", False), ("a\n", False)],
)
def test_a_tenant_has_the_characters_of_a_key(name: str, fits: bool) -> None:
    assert is_key_name(name) is fits


def test_a_keys_samples_may_be_kept_unless_its_entry_says_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text("keys:\n  - {name: a, key: first-key}\n  - {name: b, key: second-key, keep_samples: false}\n")
    file.chmod(0o600)
    assert [key.keep_samples for key in KeyRing.load(file).entries] == [True, False]


def test_a_key_may_name_the_recipes_that_it_may_use(tmp_path: Path) -> None:
    bound = load(tmp_path, 'keys: [{name: a, key: "a long secret", rewards: [math, code]}]').entries[0]
    assert bound.account.rewards == frozenset({"math", "code"})
    assert ANYBODY.account.rewards is None


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("rewards: []", "keys[0].rewards"),
        ("rewards: math", "keys[0].rewards"),
        ("rewards: [math], rights: [admin]", "may use every recipe"),
    ],
)
def test_a_list_of_recipes_that_limits_nothing_is_a_fault(tmp_path: Path, entry: str, said: str) -> None:
    with pytest.raises(KeysFileError, match=re.escape(said)):
        load(tmp_path, f'keys: [{{name: a, key: "a long secret", {entry}}}]')
