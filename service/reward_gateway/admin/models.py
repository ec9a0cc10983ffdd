"""Loads, unloads, rolls back and updates models while they are served, without failing requests.

The repository on disk holds the versions and Triton serves them; only this module changes both, the disk first.
``NAME`` alone selects the newest version, ``NAME@VERSION`` that version.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from reward_models.repository import RepositoryError, card, files, heads, versions

from reward_gateway.admin.loaded_models import LoadedModels
from reward_gateway.backends.port import ModelInfo
from reward_gateway.backends.triton.control import Controlled, Controls
from reward_gateway.errors import Conflict, GatewayError, InvalidRequest, NotFound, NotSetUp, PreconditionFailed
from reward_gateway.gateway import Gateway
from reward_gateway.recipes.suggestions import did_you_mean
from reward_gateway.sample import split_version
from reward_gateway.settings import Settings
from reward_gateway.whole_numbers import parse_whole

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The result of uploading a head.

    Attributes:
        info: the model as it is served now.
        number: the version with this head.
        replaced: the version that was served before.
        created: False if the newest version already had this head.
    """

    info: ModelInfo
    number: int
    replaced: str
    created: bool


class ModelAdmin:
    """Operations on the models of one gateway."""

    def __init__(self, gateway: Gateway, settings: Settings) -> None:
        self._gateway = gateway
        self._repository = settings.model_repository
        self._loaded = LoadedModels(settings.run_directory)
        self._timeout_s = settings.triton_ready_s
        self._keep = settings.keep_versions
        self._changing: dict[str, asyncio.Lock] = {}

    async def load(self, model_name: str) -> ModelInfo:
        """Load a model, or restore a withdrawn version of it (``NAME@VERSION``).

        Raises:
            NotSetUp: the model server has no model control, or its repository is not accessible.
            Conflict: the model or the version does not exist, or cannot be loaded.
        """
        name, version = _split_name(model_name)
        async with self._lock_model(name):
            if version:
                await self._on_disk(versions.restore_version, name, _parse_number(version))
                return await self._load_and_describe(name, _parse_number(version))
            if self._has_model(name):
                await self._on_disk(versions.refresh_config, name)
            return await self._load_and_describe(name)

    async def unload(self, model_name: str) -> None:
        """Unload a model, or withdraw one of its versions.

        Raises:
            NotFound: the model does not exist.
            NotSetUp, Conflict: as :meth:`load`.
        """
        name, version = _split_name(model_name)
        async with self._lock_model(name):
            if version:
                self._require_unnamed(name, _parse_number(version))
                await self._on_disk(versions.withdraw_version, name, _parse_number(version))
                await self._load_and_describe(name)
            else:
                await self._require_known(name)
                await self._require_control().unload(name, self._timeout_s)
                await asyncio.to_thread(self._loaded.remove, name)
                await self._gateway.runtime.refresh_models()

    async def _require_known(self, name: str) -> None:
        """Raise NotFound for an unknown model, which Triton itself would treat as already unloaded."""
        known = {info.name for info in await self._gateway.list_models()}
        if name not in known and not self._has_model(name):
            raise NotFound(f"there is no model {name!r}{did_you_mean(name, known)}")

    async def rollback(self, name: str) -> ModelInfo:
        """Withdraw the newest version, so that the name alone selects the previous one.

        Raises as :meth:`load`; Conflict also if recipes name that version.
        """
        async with self._lock_model(name):
            serving = [
                version.number for version in await self._on_disk(versions.list_versions, name) if version.served
            ]
            self._require_unnamed(name, serving[-1])
            await self._on_disk(versions.withdraw_version, name, serving[-1])
            return await self._load_and_describe(name)

    async def put_head(self, name: str, body: bytes, base: str | None = None) -> Uploaded:
        """Publish a version that differs from the newest one by its head, and serve it.

        Args:
            body: ``.npz`` or safetensors.
            base: the version that the head was trained from (its full name, number or content version); if it is no
                longer the newest, nothing is changed.

        Raises:
            InvalidRequest: it is not a valid head of this model.
            PreconditionFailed: ``base`` is not the newest version.
            NotSetUp, Conflict: as :meth:`load`; the previous version stays served.
        """
        async with self._lock_model(name):
            newest = [version for version in await self._on_disk(versions.list_versions, name) if version.served][-1]
            replaced = f"{newest.number}-{newest.content_version}"
            if base not in (None, "*", replaced, str(newest.number), newest.content_version):
                raise PreconditionFailed(f"the newest version of {name} is {replaced}: train from that one")
            number = await asyncio.to_thread(self._publish_head, name, body, newest)
            if number is None:
                return Uploaded(await self._gateway.runtime.models.info(name), newest.number, replaced, created=False)
            retired = await self._on_disk(versions.prune_versions, name, self._keep, self._named_versions(name))
            try:
                info = await self._load_and_describe(name, number)
            except GatewayError:
                await self._take_back(name, number, retired)
                raise
            for withdrawn in retired:
                await self._on_disk(versions.delete_version, name, withdrawn)
            return Uploaded(info, number, replaced, created=True)

    def _publish_head(self, name: str, body: bytes, newest: versions.Version) -> int | None:
        """Publish a version with this head; returns its number, or None if the newest version already has it."""
        head_file = self._repository / name / str(newest.number) / heads.HEAD
        if not head_file.is_file():
            raise Conflict(f"{name} has no replaceable head")
        with tempfile.TemporaryDirectory(prefix="reward-gateway-") as staging:
            try:
                heads.stage_head(heads.read_head(body, head_file), newest.card, Path(staging))
            except RepositoryError as error:
                raise InvalidRequest(str(error)) from None
            if files.hash_file(Path(staging) / heads.HEAD) == files.hash_file(head_file):
                return None
            try:
                return versions.publish_version(self._repository, name, Path(staging), after=newest.number)
            except versions.Outdated as error:
                raise PreconditionFailed(str(error)) from None
            except (RepositoryError, OSError) as error:
                raise _unwritable_error(error) from None

    async def _take_back(self, name: str, number: int, retired: list[int]) -> None:
        """Undo the publication of a version that could not be served."""
        for withdrawn in retired:
            await self._on_disk(versions.restore_version, name, withdrawn)
        await self._on_disk(versions.withdraw_version, name, number)
        with contextlib.suppress(GatewayError):  # if the server is unreachable, it reads the repository when it is back
            await self._load_and_describe(name)
        await self._on_disk(versions.delete_version, name, number)

    async def _load_and_describe(self, name: str, number: int | None = None) -> ModelInfo:
        """Make the server reload the model. Raises Conflict if it does not serve version ``number`` afterwards."""
        await self._require_control().load(name, self._timeout_s)
        await asyncio.to_thread(self._loaded.add, name)
        await self._gateway.runtime.refresh_models()
        info = await self._gateway.runtime.models.info(name)
        if number is not None and not any(version.partition("-")[0] == str(number) for version in info.versions):
            raise Conflict(
                f"the model server does not serve version {number} of {name}: it must use this gateway's model "
                "repository, and be started with --model-config-name=served"
            )
        return info

    async def _on_disk(self, change: "Callable[..., T]", name: str, *arguments: object) -> T:
        """Run a change of the repository in a thread."""
        if not self._repository.is_dir():
            raise NotSetUp("this gateway has no model repository: set REWARD_GATEWAY_MODEL_REPOSITORY")
        if not self._has_model(name):
            raise NotFound(f"the model repository of this gateway holds no model '{name}'")
        try:
            return await asyncio.to_thread(change, self._repository, name, *arguments)
        except RepositoryError as error:
            raise Conflict(str(error)) from None
        except OSError as error:
            raise _unwritable_error(error) from None

    def _has_model(self, name: str) -> bool:
        return versions.NAME.fullmatch(name) is not None and (self._repository / name / card.CONFIG).is_file()

    def _require_control(self) -> Controls:
        models = self._gateway.runtime.models
        if not isinstance(models, Controlled):
            raise NotSetUp("this gateway's model server does not support loading and unloading models")
        return models.control

    def _named_versions(self, name: str) -> set[int]:
        """The versions of a model that recipes or experiments name."""
        book = self._gateway.book
        candidates = (split_version(experiment.candidate) for experiment in book.experiments.values())
        tried = {parse_whole(version) for model, version in candidates if model == name}
        pinned = {version for plan in book for model, version in plan.pins if model == name}
        return {number for number in tried if number is not None} | pinned

    def _require_unnamed(self, name: str, number: int) -> None:
        if number in self._named_versions(name):
            raise Conflict(f"recipes use {name}@{number}: change them to another version first")

    def _lock_model(self, name: str) -> asyncio.Lock:
        return self._changing.setdefault(name, asyncio.Lock())


def _split_name(model: str) -> tuple[str, str]:
    name, version = split_version(model)
    if not versions.NAME.fullmatch(name):
        raise NotFound("this is not a valid model name")
    return name, version


def _parse_number(version: str) -> int:
    number = parse_whole(version)
    if number is None:
        raise NotFound(f"a version must be a number, not {version!r}")
    return number


def _unwritable_error(error: Exception) -> GatewayError:
    if isinstance(error, OSError):
        return NotSetUp(
            f"the model repository cannot be written ({error.strerror}): give this gateway a writable one, which the "
            "model server reads too (REWARD_GATEWAY_MODEL_REPOSITORY)"
        )
    return Conflict(str(error))
