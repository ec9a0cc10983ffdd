"""Reward models on any number of Triton servers; a model is asked where it is, and replicas share its rows."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from reward_gateway.backends.breaker import MakeBreaker
from reward_gateway.backends.followed_name import Resolve, resolve_addresses
from reward_gateway.backends.port import ModelAnswer, ModelInfo, ModelsAway, explain_idle
from reward_gateway.backends.triton.declared_models import DeclaredModel
from reward_gateway.backends.triton.members import Members
from reward_gateway.backends.triton.model_queue import ModelQueue, QueueLimits
from reward_gateway.backends.triton.replica_groups import Found, GroupChoice, ReplicaGroup
from reward_gateway.backends.triton.routing import RoutedControl, RoutedPassthrough
from reward_gateway.backends.triton.server import TritonServer
from reward_gateway.errors import GatewayError, ModelUnavailable, NotFound
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Batch, Invalid, split_version


class TritonServers:
    """Implements :class:`reward_gateway.backends.port.ModelServer`. Create it on the running loop.

    Args:
        urls: gRPC addresses: ``host:port`` is one server, ``dns:///host:port`` one at every address of the name.
        make_breaker: makes the circuit breaker of one model on one server.
        limits: bounds of each model's queue.
        info_ttl_s: maximum seconds until a changed model is noticed.
        resolve: looks the addresses of a name up.

    Attributes:
        passthrough: calls of the Open Inference Protocol, to a server of the model that they name.
        control: loads and unloads models where they are.
        declared: models of pools that may have no server, by name.
    """

    def __init__(
        self,
        urls: Sequence[str],
        make_breaker: MakeBreaker,
        *,
        limits: QueueLimits | None = None,
        info_ttl_s: float = 5.0,
        observer: Observer = UNOBSERVED,
        resolve: Resolve = resolve_addresses,
        declared: Mapping[str, DeclaredModel] | None = None,
    ) -> None:
        def open_server(url: str, label: str, has_peers: Callable[[], bool]) -> TritonServer:
            return TritonServer(
                url, make_breaker, label=label, has_peers=has_peers, info_ttl_s=info_ttl_s, observer=observer
            )

        self._members = Members(urls, open_server, resolve)
        self._limits = limits or QueueLimits()
        self._observer = observer
        self._choices: dict[str, GroupChoice] = {}
        self._queues: dict[str, ModelQueue] = {}
        self._seen: dict[str, ModelInfo] = {}
        self.declared: Mapping[str, DeclaredModel] = declared or {}
        self.passthrough = RoutedPassthrough(self.find_servers, self.list_servers)
        self.control = RoutedControl(self.find_servers, self.list_servers)

    def list_servers(self) -> Sequence[TritonServer]:
        """The servers that are known now."""
        return self._members.all

    async def check(self) -> None:
        """Ask every server what it serves, so that the observer hears of it also while nothing is scored."""
        await asyncio.gather(*(server.check() for server in self._members.all))

    async def models(self) -> list[ModelInfo]:
        await self._members.wait_until_known()
        servers = self._members.all
        answers = await asyncio.gather(*(server.models() for server in servers), return_exceptions=True)
        names: dict[str, ModelInfo] = {}
        faults: list[ModelUnavailable] = []
        for answer in answers:
            if isinstance(answer, ModelUnavailable):
                faults.append(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                for info in answer:
                    known = names.get(info.name)
                    if known is None or (info.ready, info.wanted) > (known.ready, known.wanted):
                        names[info.name] = info
        infos = [self._join_known(info) for info in names.values()]
        infos += [self._describe_idle(name) for name in self.declared if name not in names]
        if self._members.any_empty and not self.declared:
            faults.append(ModelUnavailable(self._members.explain_empty()))
        if faults:
            raise ModelsAway(faults[0].message, infos)
        return infos

    async def info(self, name: str) -> ModelInfo:
        try:
            return self._choose_group(name, await self._find(name)).info
        except GatewayError:
            if self._is_idle(name):
                return self._describe_idle(name)
            raise

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        try:
            group = self._choose_group(name, await self._find(name))
        except GatewayError as error:
            return _refuse_rows(len(rows), 1, self._explain_missing(name, len(rows), error))
        if group.model.fault:
            words = f"{name} does not follow the contract of a reward model: {group.model.fault}."
            return _refuse_rows(len(rows), max(1, group.model.width), Invalid("model_error", words))
        if name not in self._queues:
            self._queues[name] = ModelQueue(name, lambda: self._find_known(name), self._limits, self._observer)
        return await self._queues[name].score(group, batch, rows, deadline)

    async def find_servers(self, name: str) -> list[TritonServer]:
        """The servers of a model, at least one: those on which it is ready, else the first that has it.

        Raises NotFound, or ModelUnavailable if one that may have it does not answer.
        """
        servers = self._members.all
        if len(servers) == 1:
            return list(servers)
        found = await self._find(name)
        return [server for server, model in found if model.info.ready] or [found[0][0]]

    async def close(self) -> None:
        await asyncio.gather(*(queue.close() for queue in self._queues.values()))
        await self._members.close()

    async def _find(self, name: str) -> Sequence[Found]:
        """Where a model is, at least once.

        A server is asked only if none is known to have it ready: one that hangs delays no model of another. Raises
        NotFound, or ModelUnavailable if one that may have it does not answer.
        """
        servers = self._members.all
        if len(servers) == 1 and not self._members.any_empty:
            return [(servers[0], await servers[0].find_model(name))]
        known = self._find_known(name)
        if any(model.info.ready for _, model in known):
            return known
        if not servers:
            await self._members.wait_until_known()
            servers = self._members.all
        found = await asyncio.gather(*(server.find_model(name) for server in servers), return_exceptions=True)
        fault: BaseException = NotFound(f"There is no model '{name}' on the model servers.")
        if self._members.any_empty:
            fault = ModelUnavailable(self._members.explain_empty())
        there: list[Found] = []
        for server, model in zip(servers, found, strict=True):
            if isinstance(model, BaseException):
                fault = fault if isinstance(model, NotFound) else model
            else:
                there.append((server, model))
        if not there:
            raise fault
        return there

    def _find_known(self, name: str) -> list[Found]:
        """Where a model is, as far as is known without asking."""
        return [(server, model) for server in self._members.all if (model := server.known_model(name)) is not None]

    def _choose_group(self, name: str, found: Sequence[Found]) -> ReplicaGroup:
        if name not in self._choices:
            self._choices[name] = GroupChoice()
        group = self._choices[name].choose(found)
        if name in self.declared:
            self._seen[name] = group.info
        return group

    def _join_known(self, info: ModelInfo) -> ModelInfo:
        """A model that a server has listed just now, over all servers."""
        known = self._find_known(info.name)
        return self._choose_group(info.name, known).info if known else info

    # Pools without servers

    def _is_idle(self, name: str) -> bool:
        """Whether a model is of a pool that has no server at the moment: none knows it."""
        return split_version(name)[0] in self.declared and not self._find_known(name)

    def _describe_idle(self, name: str) -> ModelInfo:
        """A model whose pool has no server, as it was when it had one, so that cached scores are found."""
        declared = self.declared[split_version(name)[0]]
        return declared.describe(name, self._seen.get(name))

    def _explain_missing(self, name: str, rows: int, error: GatewayError) -> Invalid:
        if not self._is_idle(name):
            return Invalid("model_unavailable", error.message)
        declared = self.declared[split_version(name)[0]]
        self._observer.rows_refused(name, rows, "no_replicas")
        words = explain_idle(name, declared.cold_start_s)
        return Invalid("model_unavailable", words, retry_after_s=declared.cold_start_s)


def _refuse_rows(rows: int, width: int, reason: Invalid) -> ModelAnswer:
    return ModelAnswer(np.full((rows, width), np.nan), dict.fromkeys(range(rows), reason))
