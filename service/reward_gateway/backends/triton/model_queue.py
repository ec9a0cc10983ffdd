"""The rows of one model that wait, and their calls: to the replica with the fewest in flight, and once more to another
if that fails."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import grpc
from tritonclient.grpc import service_pb2

from reward_gateway.backends.coalescer import CallAnswer, CallFailed, Coalescer
from reward_gateway.backends.encoded_rows import Piece
from reward_gateway.backends.least_busy import LeastBusy
from reward_gateway.backends.port import ModelAnswer
from reward_gateway.backends.triton.answers import read_answer
from reward_gateway.backends.triton.failures import (
    call_failure,
    connection_lost,
    is_absent,
    is_final,
    is_queue_full,
    model_unavailable,
)
from reward_gateway.backends.triton.infer_request import encode_infer_request
from reward_gateway.backends.triton.model_config import TritonModel
from reward_gateway.backends.triton.replica_groups import ReplicaGroup
from reward_gateway.backends.triton.rows import encode_rows
from reward_gateway.backends.triton.server import ModelReplica, TritonServer
from reward_gateway.backends.triton.tensors import TensorRows, join_pieces
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Batch, Invalid

ATTEMPTS = 2
"""A call that fails goes once more: to another replica, or to the same one if its connection comes back."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """Bounds of one model's queue.

    Attributes:
        max_infer_calls: maximum calls in flight per replica.
        max_in_flight_s: maximum predicted time of the calls in flight.
        max_queued_rows: maximum rows of one caller that wait.
    """

    max_infer_calls: int = 4
    max_in_flight_s: float = 0.05
    max_queued_rows: int = 65_536


class ModelQueue:
    """The queue of one model name.

    Args:
        find_servers: the servers that have the model now, as far as is known without asking them.
    """

    def __init__(
        self,
        name: str,
        find_servers: Callable[[], Sequence[tuple[TritonServer, TritonModel]]],
        limits: QueueLimits,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._name = name
        self._find_servers = find_servers
        self._limits = limits
        self._observer = observer
        self._least_busy = LeastBusy()
        self._groups: dict[Hashable, ReplicaGroup] = {}  # as of the last request, by signature
        self._coalescers: dict[Hashable, Coalescer[TritonModel, TensorRows]] = {}

    async def score(self, group: ReplicaGroup, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        """Score rows of a batch on the servers of a group: [n, K]."""
        signature = group.model.signature
        self._groups[signature] = group
        if signature not in self._coalescers:
            self._coalescers[signature] = self._make_coalescer(signature)
        return await self._coalescers[signature].score(
            group.model,
            batch,
            rows,
            width=group.model.width,
            deadline=deadline,
            max_rows=group.max_rows,
            instances=group.instances,
            max_calls=self._limits.max_infer_calls * len(group.servers),
        )

    async def close(self) -> None:
        """Fail every waiting row, and cancel the calls in flight."""
        for coalescer in self._coalescers.values():
            await coalescer.close()

    def _make_coalescer(self, signature: Hashable) -> Coalescer[TritonModel, TensorRows]:
        async def send_pieces(pieces: Sequence[Piece[TensorRows]], deadline: float) -> CallAnswer:
            return await self._send_pieces(self._groups[signature], pieces, deadline)

        return Coalescer(
            self._name,
            encode_rows,
            send_pieces,
            max_calls=self._limits.max_infer_calls,
            max_queued=self._limits.max_queued_rows,
            max_in_flight_s=self._limits.max_in_flight_s,
            observer=self._observer,
        )

    async def _send_pieces(
        self, group: ReplicaGroup, pieces: Sequence[Piece[TensorRows]], deadline: float
    ) -> CallAnswer:
        """Send one infer call. Raises CallFailed."""
        rows = sum(stop - start for _, start, stop in pieces)
        request = encode_infer_request(group.model, join_pieces(pieces), rows)
        tried: dict[ModelReplica, int | None] = {}
        failure: grpc.aio.AioRpcError | None = None
        for _ in range(ATTEMPTS):
            chosen = self._choose(group, tried)
            if chosen is None:
                lost = failure is not None and connection_lost(failure)
                if not lost or not await (last := list(tried)[-1]).server.wait_for_connection(deadline):
                    break
                chosen = last, None
            replica, ticket = chosen
            await replica.server.confirm_models()
            model = replica.server.known_model(self._name) or group.model
            try:
                answer = await self._call(replica, request, rows, deadline)
            except grpc.aio.AioRpcError as error:
                failure = error
                if is_final(error):
                    break
                tried[replica] = None if is_absent(error) or is_queue_full(error.details() or "") else ticket
                continue
            for other, taken in tried.items():  # it was no fault of the rows
                if other is not replica and taken is not None:
                    other.note_failure(taken)
            return self._read(model, replica, answer, rows)
        if failure is None:
            raise CallFailed(model_unavailable(self._name), divisible=False)
        raise call_failure(self._name, failure) from None

    def _choose(
        self, group: ReplicaGroup, tried: dict[ModelReplica, int | None]
    ) -> tuple[ModelReplica, int | None] | None:
        """A replica that has not been tried: of those that have the group's version now, else another version, which
        the answer then names; else, at first, any that had it a moment ago."""
        able = [one for one in self._find_servers() if one[1].signature == group.model.signature]
        ready = [one for one in able if one[1].info.ready]
        same = [server for server, model in ready if model.info.version == group.info.version]
        others = [server for server, model in ready if model.info.version != group.info.version]
        for servers in (same, others):
            replicas = [server.find_replica(self._name) for server in servers]
            if (chosen := self._least_busy.choose(replicas, tried)) is not None:
                return chosen
        if tried:
            return None
        left = [server.find_replica(self._name) for server, _ in (ready or able)]
        return (min(left, key=lambda replica: replica.in_flight), None) if left else None

    async def _call(
        self, replica: ModelReplica, request: bytes, rows: int, deadline: float
    ) -> "service_pb2.ModelInferResponse":
        """What one replica answers. Raises grpc.aio.AioRpcError."""
        server = replica.server
        with replica.carry(rows) as outcome:
            try:
                answer = await server.infer(request, deadline)
            except grpc.aio.AioRpcError as error:
                outcome.append(call_failure(self._name, error).reason.code)
                if connection_lost(error) and not is_absent(error):
                    server.mark_away()
                else:
                    server.expire()
                raise
            outcome.append("ok")
        return answer

    def _read(
        self, model: TritonModel, replica: ModelReplica, answer: "service_pb2.ModelInferResponse", rows: int
    ) -> CallAnswer:
        """The scores in an answer. Raises CallFailed."""
        if not model.info.ready or answer.model_version != model.triton_version:
            replica.server.expire()  # it is ready again, or another version
        try:
            return read_answer(model, answer, rows)
        except (ValueError, KeyError):
            replica.server.expire()
            words = f"{self._name} answered with tensors that do not follow its configuration."
            raise CallFailed(Invalid("model_error", words), divisible=False) from None
