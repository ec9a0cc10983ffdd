"""``doctor``: a line per finding, what is wrong and what to do, on a machine or of a running service."""

import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis
from reward_gateway.cli.doctor.bounded import run_bounded
from reward_gateway.cli.doctor.redis_rights import CACHE_COMMANDS, STATE_KEY, find_forbidden
from reward_gateway.local.valkey import COMMANDS

from tests.conftest import ROOT
from tests.ports import free_port
from tests.valkey import Valkey

Run = Callable[..., Any]

PATIENT = ("--timeout", "240")


class Examined(NamedTuple):
    code: int
    ok: bool
    rows: list[dict[str, str]]
    text: str

    def of(self, check: str) -> list[tuple[str, str]]:
        return [(row["level"], row["message"]) for row in self.rows if row["check"] == check]


@pytest.fixture
def doctor(run: Run) -> Callable[..., Examined]:
    """``doctor --json`` with the flags of ports that are free."""

    def call(*flags: object) -> Examined:
        own = () if "--url" in flags else ("--http-port", free_port(), "--grpc-port", "0", "--state-dir", "state")
        ended = run("doctor", "--json", *PATIENT, *own, *flags)
        said = json.loads(ended.out)
        return Examined(ended.code, said["ok"], said["checks"], ended.out + ended.err)

    return call


class Judge(NamedTuple):
    url: str
    asked: list[tuple[str, str, str | None]]


@pytest.fixture
def judge() -> Iterator[Judge]:
    """A server that lists one model to who has its key, and notes what it was asked."""
    asked: list[tuple[str, str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            key = self.headers.get("authorization")
            asked.append(("GET", self.path, key))
            body = json.dumps({"data": [{"id": "judge-32b"}]}).encode()
            self.send_response(200 if key == "Bearer right" else 401)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            asked.append(("POST", self.path, None))

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Judge(f"http://127.0.0.1:{server.server_address[1]}", asked)
    server.shutdown()
    thread.join()
    server.server_close()


def test_where_nothing_is_set_up_every_fault_says_what_to_do(doctor: Callable[..., Examined], run: Run) -> None:
    bare = ("--model-repository", "none", "--triton-env", "none", "--rewards-file", "none.yaml")
    examined = doctor(*bare)

    assert (examined.code, examined.ok) == (1, False)
    assert [level for level, _ in examined.of("triton")] == ["fault"]
    assert "make serve" in examined.of("triton")[0][1]
    assert "--model-repository" in str(examined.of("disk"))
    assert "none.yaml" in str(examined.of("settings"))
    assert examined.of("recipes") == [], "said once"
    assert {row["level"] for row in examined.rows} <= {"ok", "warning", "fault"}
    assert not any("\n" in row["message"] for row in examined.rows)
    assert "failed" not in examined.text

    lines = run("doctor", *PATIENT, *bare, "--http-port", free_port()).out.splitlines()
    assert all(line.startswith(("ok ", "warning ", "fault ")) for line in lines)


def test_a_value_that_cannot_be_used_is_a_finding_and_leaves_no_variable_behind(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REWARD_GATEWAY_REDIS_URL", raising=False)
    ended = run("doctor", "--json", "--redis-url", "http://:secret@host", "--workers", "0")
    (first, second) = json.loads(ended.out)["checks"]

    assert ended.code == 1
    assert {first["check"], second["check"]} == {"settings"}
    assert "--workers (REWARD_GATEWAY_WORKERS)" in ended.out
    assert "secret" not in ended.out + ended.err
    assert "REWARD_GATEWAY_WORKERS" not in os.environ


def test_a_port_in_use_is_a_fault_with_its_setting(doctor: Callable[..., Examined]) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        examined = doctor("--http-port", taken.getsockname()[1])
    ((level, said),) = examined.of("ports")
    assert level == "fault"
    assert "is in use" in said
    assert "--http-port" in said


def test_a_gateway_on_the_port_is_named(doctor: Callable[..., Examined], service: Any) -> None:
    ((level, said),) = doctor("--http-port", service.url.rpartition(":")[2]).of("ports")
    assert level == "fault"
    assert f"doctor --url {service.url}" in said


def test_a_judge_is_asked_for_its_models_and_sent_no_prompt(
    doctor: Callable[..., Examined], judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def examine(key: str, model: str = "judge-32b", url: str = judge.url) -> Any:
        monkeypatch.setenv("JUDGE_KEY", key)
        entry = {"name": "strict", "base_url": url, "model": model, "api_key_env": "JUDGE_KEY"}
        Path("judges.yaml").write_text(json.dumps({"judges": [entry]}))
        examined = doctor("--judges-file", "judges.yaml")
        assert not key or key not in examined.text
        return examined

    right, wrong, other = examine("right").of("judges"), examine("wrong").of("judges"), examine("right", "small")
    away, unset = examine("right", url=f"http://127.0.0.1:{free_port()}").of("judges"), examine("")

    assert [level for level, _ in right] == ["ok"]
    assert wrong[0][0] == "fault"
    assert "refuses the key (401)" in wrong[0][1]
    assert other.of("judges")[0][0] == "warning"
    assert "'small'" in other.of("judges")[0][1]
    assert away[0][0] == "fault"
    assert "cannot be reached" in away[0][1]
    assert "JUDGE_KEY is empty" in str(unset.of("settings"))
    assert {(method, path) for method, path, _ in judge.asked} == {("GET", "/v1/models")}


def test_upstreams_and_sandboxes_are_connected_to(doctor: Callable[..., Examined], judge: Judge) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    Path("upstreams.yaml").write_text(
        json.dumps({"upstreams": {"here": {"protocol": "tei_predict", "urls": [nowhere]}}})
    )
    Path("sandboxes.yaml").write_text(
        json.dumps({"sandboxes": [{"name": "box", "url": nowhere, "protocol": "piston"}]})
    )
    examined = doctor("--upstreams-file", "upstreams.yaml", "--sandboxes-file", "sandboxes.yaml")
    for check in ("upstreams", "sandboxes"):
        ((level, said),) = examined.of(check)
        assert level == "fault"
        assert "cannot be reached" in said


def test_recipes_with_faults_have_a_line_each_and_those_that_lack_a_judge_are_named(
    doctor: Callable[..., Examined],
) -> None:
    Path("bad.yaml").write_text("rewards:\n  r:\n    components: {a: {score: lenght_penalty}}\n")
    Path("judged.yaml").write_text(
        "default: plain\nrewards:\n"
        "  plain: {components: {a: {score: length_penalty}}}\n"
        "  judged: {components: {a: {score: judge_rubric, params: {judge: strict}}}}\n"
    )
    ((level, said),) = doctor("--rewards-file", "bad.yaml").of("recipes")
    judged = doctor("--rewards-file", "judged.yaml").of("recipes")

    assert level == "fault"
    assert said.startswith("bad.yaml:3:")
    assert [found for found, _ in judged] == ["warning", "ok"]
    assert "judged cannot answer: there is no judge 'strict'" in judged[0][1]


def test_a_state_store_that_evicts_or_forgets_is_told_of(doctor: Callable[..., Examined], tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    server.start("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
    try:
        evicting = doctor("--state-redis-url", server.admin_url)
        silent = doctor("--state-redis-url", server.url)
        with server.client() as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("appendonly", "yes")
        sound = doctor("--state-redis-url", server.admin_url, "--redis-url", server.admin_url)
    finally:
        server.kill()
    away = doctor("--state-redis-url", server.url.replace("redis://", "redis://tests:secret@"))

    assert [level for level, _ in evicting.of("state")] == ["fault", "warning"]
    assert "(allkeys-lru): set maxmemory-policy noeviction" in evicting.of("state")[0][1]
    assert "appendonly yes" in evicting.of("state")[1][1]
    assert silent.of("state")[0][0] == "warning"
    assert [level for level, _ in sound.of("state") + sound.of("cache")] == ["ok", "ok"]
    assert away.of("state")[0][0] == "fault"
    assert "secret" not in away.text


def test_a_triton_that_is_not_there_is_a_fault(doctor: Callable[..., Examined]) -> None:
    ((level, said),) = doctor("--triton-url", f"127.0.0.1:{free_port()}").of("triton")
    assert level == "fault"
    assert "8001" in said


def test_a_running_service_is_asked(doctor: Callable[..., Examined], service: Any) -> None:
    examined = doctor("--url", service.url.removeprefix("http://"))

    assert (examined.code, examined.ok) == (0, True)
    assert examined.of("service")[0][0] == "ok"
    assert examined.of("recipes") == [("ok", "the default recipe brief can answer")]
    assert examined.of("key") == [("ok", "requests are accepted")]
    assert examined.of("stores")[0][0] == "warning"
    assert not examined.of("ports"), "this machine is not what is asked about"


def test_what_is_no_gateway_is_told_from_what_does_not_answer(doctor: Callable[..., Examined], judge: Judge) -> None:
    other, away = doctor("--url", judge.url), doctor("--url", f"http://127.0.0.1:{free_port()}")

    keyed = doctor("--url", judge.url.replace("http://", "http://x:secret@"))
    assert (other.code, away.code, keyed.code) == (1, 1, 1)
    assert "secret" not in keyed.text
    assert "is not a reward gateway" in other.of("service")[0][1]
    assert "cannot be reached" in away.of("service")[0][1]


def test_a_call_that_hangs_is_not_waited_for_and_one_that_fails_disturbs_none() -> None:
    released = threading.Event()

    def fail() -> bool:
        raise ValueError("no")

    hung, failed, done = run_bounded([released.wait, fail, lambda: True], 0.2)
    released.set()
    assert hung is None
    assert isinstance(failed, ValueError)
    assert done is True


def test_a_whole_stack_is_in_order(doctor: Callable[..., Examined], stack: Any) -> None:
    examined = doctor("--url", stack.http)
    assert [row for row in examined.rows if row["level"] == "fault"] == []
    assert examined.of("stores") == [("ok", "cache is ready"), ("ok", "state is ready")]
    assert any(level == "ok" and said.endswith("are ready") for level, said in examined.of("models"))


def test_a_user_who_lacks_rights_is_told_which(doctor: Callable[..., Examined], tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    server.start()
    url = f"redis://weak:word@127.0.0.1:{server.port}/0"
    try:
        client: Any
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "weak", "on", ">word", "~*", "&*", "+@all", "-xadd", "-evalsha")
            lacking = doctor("--state-redis-url", url)
            client.execute_command("ACL", "SETUSER", "weak", "+@all", "resetkeys", "~other:*")
            elsewhere = doctor("--state-redis-url", url, "--redis-url", url)
            assert client.dbsize() == 0
    finally:
        server.kill()
    ((level, said),) = lacking.of("state")
    assert (level, said.partition("add ")[2]) == ("fault", "+evalsha +xadd (ACL SETUSER)")
    assert ["~reward_gateway:*" in said for check in ("state", "cache") for _, said in elsewhere.of(check)] == [
        True
    ] * 2
    assert "word" not in lacking.text + elsewhere.text


def test_the_rules_of_the_guide_allow_what_the_gateway_does(tmp_path: Path) -> None:
    page = (ROOT / "service/reward_gateway/guide/pages/operate/keys-and-limits.md").read_text(encoding="utf-8")
    (rules,) = re.findall(r"^user gateway (on >PASSWORD .*)$", page, flags=re.MULTILINE)
    server = Valkey(tmp_path)
    server.start()
    try:
        client: Any
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "gateway", *rules.split())
        with redis.Redis("127.0.0.1", server.port, username="gateway", password="PASSWORD") as own:
            assert find_forbidden(own, [*COMMANDS, "info"], STATE_KEY) == []
            assert find_forbidden(own, CACHE_COMMANDS, "tenant:rgw1:key") == []
            assert find_forbidden(own, ["flushall", "config|get", "keys"], STATE_KEY) == [
                "flushall",
                "config|get",
                "keys",
            ]
    finally:
        server.kill()


def test_sentinels_that_do_not_answer_are_named(doctor: Callable[..., Examined]) -> None:
    host = f"127.0.0.1:{free_port()}"
    found = doctor(
        "--state-redis-url", f"redis+sentinel://:secret@{host}/main", "--redis-url", f"redis+cluster://{host}"
    )
    assert f"the Sentinels do not answer (redis+sentinel://{host}/main)" in found.of("state")[0][1]
    assert f"no node of the Cluster answers (redis+cluster://{host})" in found.of("cache")[0][1]
    assert "secret" not in found.text
