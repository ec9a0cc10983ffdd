"""The models that are to be served."""

from collections.abc import Iterator

from reward_models.build import tiers
from reward_models.repository import RepositoryError, list_models
from reward_models.repository.card import VERSION_FOLDER, read_card

from reward_gateway.recipes.suggestions import did_you_mean
from reward_gateway.settings import Settings

from ...preflight import writable_fault
from ..check import Finding, Subject, fault, join_names, machine_check, ok, warning
from ..triton_server import list_ready


@machine_check("models")
def check_models(subject: Subject) -> Iterator[Finding]:
    """Those of the repository are built, or which are ready on a Triton elsewhere."""
    if subject.settings.triton_url:
        yield from _check_served(subject)
    else:
        yield from _check_repository(subject.settings)


def _check_repository(settings: Settings) -> Iterator[Finding]:
    folder = settings.model_repository
    known = sorted(config.parent.name for config in folder.glob("*/config.pbtxt"))
    if not known:
        yield warning(f"{folder} holds no model: only rules, judges and upstreams give rewards (--model-repository)")
        return
    buildable = list_models(folder)
    left = [] if settings.models else tiers.list_unbuilt_extra(folder)
    wanted = settings.models or tuple(name for name in known if name not in left)
    for name in sorted({*wanted} - {*known}):
        yield fault(f"there is no model {name!r}{did_you_mean(name, known)} (--models)")
    unbuilt = []
    for name in (name for name in wanted if name in buildable):
        try:
            files = read_card(folder / name).files
        except RepositoryError as error:
            yield fault(f"{error} Restore its folder, or leave it out with --models")
            continue
        if not all((folder / name / VERSION_FOLDER / file.name).is_file() for file in files):
            unbuilt.append(name)
    for name in unbuilt:
        if unwritable := writable_fault(folder / name, "model_repository", f"{name} is built there"):
            yield fault(unwritable)
            return
    if unbuilt:
        yield warning(
            f"files of {join_names(unbuilt)} are missing: `reward-gateway models build` makes them, and `serve` too, "
            "whose start then takes minutes"
        )
    if built := len({*wanted} & {*known}) - len(unbuilt):
        yield ok(f"{built} of {len(wanted)} have all their files in {folder}")


def _check_served(subject: Subject) -> Iterator[Finding]:
    for url in subject.settings.triton_urls:
        ready = list_ready(url, subject.server_s / len(subject.settings.triton_urls)) or set()
        if names := sorted(name for name in ready if "@" not in name):
            yield ok(f"{join_names(names)} ready on {url}")
