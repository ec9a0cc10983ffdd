"""Triton: the embedded one can be started, or those elsewhere are ready."""

from collections.abc import Iterator
from functools import partial

from reward_gateway.local import device, platform
from reward_gateway.local.errors import StackError

from ..bounded import run_bounded
from ..check import Finding, Subject, fault, machine_check, ok, warning
from ..triton_server import is_ready


@machine_check("triton")
def check_triton(subject: Subject) -> Iterator[Finding]:
    """Triton's parts on this machine, or the servers of ``triton_url``."""
    settings = subject.settings
    if not settings.triton_url:
        try:
            platform.check_machine()
            home = platform.find_triton(settings.triton_env)
        except StackError as error:
            yield fault(str(error))
        else:
            yield ok(f"the embedded one can be started from {home.env}")
        return
    urls = settings.triton_urls
    ready = [
        each is True
        for each in run_bounded([partial(is_ready, url, subject.server_s) for url in urls], subject.server_s)
    ]
    for url in (url for url, here in zip(urls, ready, strict=True) if not here):
        yield (warning if any(ready) else fault)(
            f"{url} is not ready: check the address (gRPC, usually port 8001), and whether the server runs"
        )
    for url in (url for url, here in zip(urls, ready, strict=True) if here):
        yield ok(f"{url} is ready")


@machine_check("gpu")
def check_gpu(subject: Subject) -> Iterator[Finding]:
    """A GPU that models of the embedded Triton are to run on."""
    settings = subject.settings
    if settings.triton_url or settings.device == "cpu":
        return
    try:
        _, where = device.choose_device(settings.device, settings.gpus, lambda: device.read_facts(settings.triton_env))
    except StackError as error:
        yield fault(str(error))
    else:
        yield ok(where)
