"""Judges, upstreams and remote sandboxes: they can be reached, and take the key. None is sent a prompt."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from reward_gateway.backends.declared_servers import ServersFileError
from reward_gateway.backends.judges.config import load_judges
from reward_gateway.backends.remote_sandboxes.config import load_sandboxes
from reward_gateway.backends.upstreams.file import UpstreamsFileError, load_upstreams

from ..bounded import run_bounded
from ..check import Finding, Subject, fault, machine_check, ok, warning
from ..http_server import Answer, ask_server, open_connection


class Asked(NamedTuple):
    """A server of an entry: how it is called in messages, and the question, which returns what is wrong."""

    label: str
    find_fault: Callable[[], str]


@machine_check("judges")
def check_judges(subject: Subject) -> Iterator[Finding]:
    """Each lists its models, with its key."""
    try:
        judges = load_judges(subject.settings.judges_file)
        keys = [judge.api_key() for judge in judges]
    except ServersFileError:
        return  # the check of settings says why
    asked = [
        Asked(
            f"{judge.name} ({urlsplit(url).netloc})", partial(_ask_for_models, url, key, judge.model, subject.server_s)
        )
        for judge, key in zip(judges, keys, strict=True)
        for url in judge.chat_urls
    ]
    yield from _ask_all(asked, subject, "no judges are configured (--judges-file)")


@machine_check("upstreams")
def check_upstreams(subject: Subject) -> Iterator[Finding]:
    """Each can be connected to; ``upstreams check`` asks them for scores, too."""
    try:
        upstreams = load_upstreams(subject.settings.upstreams_file)
    except UpstreamsFileError:
        return
    asked = [
        Asked(f"{name} ({urlsplit(url).netloc})", partial(_connect, url, config.api_key(), subject.server_s))
        for name, config in upstreams.items()
        for url in (config.urls or ((config.dns,) if config.dns else ()))
    ]
    yield from _ask_all(asked, subject, "no upstreams are configured (--upstreams-file)")


@machine_check("sandboxes")
def check_sandboxes(subject: Subject) -> Iterator[Finding]:
    """Each remote one can be connected to."""
    try:
        sandboxes = load_sandboxes(subject.settings.sandboxes_file)
        keys = [sandbox.api_key() for sandbox in sandboxes]
    except ServersFileError:
        return
    asked = [
        Asked(f"{sandbox.name} ({urlsplit(sandbox.url).netloc})", partial(_connect, sandbox.url, key, subject.server_s))
        for sandbox, key in zip(sandboxes, keys, strict=True)
    ]
    yield from _ask_all(asked, subject, "no remote sandboxes are configured (--sandboxes-file)")


def _ask_all(asked: Sequence[Asked], subject: Subject, none: str) -> Iterator[Finding]:
    """One line for each server; ``none`` where there are none."""
    if not asked:
        yield ok(none)
    results = run_bounded([each.find_fault for each in asked], subject.server_s)
    for each, result in zip(asked, results, strict=True):
        if isinstance(result, Warned):
            yield warning(f"{each.label}: {result}")
        elif result == "":
            yield ok(f"{each.label} answers")
        else:
            yield fault(f"{each.label}: {result if isinstance(result, str) else 'it does not answer in time'}")


class Warned(str):
    """Something that is odd, and not wrong for sure."""


def _ask_for_models(chat_url: str, key: SecretStr | None, model: str, timeout_s: float) -> str:
    parts = urlsplit(chat_url)
    path = parts.path.removesuffix("/chat/completions") + "/models"
    answer = ask_server(urlunsplit(parts._replace(path=path)), key, timeout_s)
    if said := _explain(answer):
        return said
    names = answer.model_names()
    if names and model not in names:
        return Warned(f"it does not list its model {model!r} among its {len(names)}; check `model` in the judges file")
    return ""


def _connect(url: str, key: SecretStr | None, timeout_s: float) -> str:
    if url.startswith("grpc"):
        return open_connection(url, timeout_s)
    return _explain(ask_server(url, key, timeout_s))


def _explain(answer: Answer) -> str:
    if answer.failure:
        return f"it cannot be reached ({answer.failure}); check the address, and whether the server runs"
    if answer.status in (401, 403):
        return f"it refuses the key ({answer.status}); check the variable that api_key_env names"
    if answer.status >= 500:
        return f"it answers {answer.status}; look into its log"
    return ""  # any other answer is one: not every server lists its models, or has a page at its root
