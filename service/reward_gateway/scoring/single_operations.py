"""Single operations: one operation over the items of one request, on the event loop or in a worker process."""

from functools import partial
from typing import Any

from reward_gateway.errors import NotFound
from reward_gateway.operations.apply import Prepared, answer, prepare
from reward_gateway.operations.registry import Catalog, catalog
from reward_gateway.operations.requests import EncodeResults, ReadBody, Results, answer_body

from .attempts import Attempt
from .body_digest import digest_body
from .effects_runtime import EffectsRuntime, run_effects
from .recorded_answers import decode_results, encode_recorded, encode_results
from .request_context import RequestContext
from .request_scope import NO_SCOPE, RequestScope


class SingleOperations:
    """Applies operations by kind and name.

    Args:
        runtime: answers their effects.
    """

    def __init__(self, runtime: EffectsRuntime) -> None:
        self._runtime = runtime
        self._catalog: Catalog = catalog()

    async def apply_items(
        self,
        kind: str,
        name: str,
        items: list[Any],
        params: dict[str, Any] | None = None,
        deadline: float | None = None,
        scope: RequestScope = NO_SCOPE,
    ) -> Results:
        """Apply one operation to items; returns one JSON-ready result per item. Raises as :meth:`answer_request`."""
        read = partial(_give_items, items, params)
        results: Results = await self.answer_request(kind, name, b"", read, list, deadline=deadline, scope=scope)
        return results

    async def answer_request(
        self,
        kind: str,
        name: str,
        body: bytes,
        read: ReadBody,
        encode: EncodeResults,
        *,
        may_take_long: bool = False,
        deadline: float | None = None,
        scope: RequestScope = NO_SCOPE,
    ) -> Any:
        """Decode a body, apply one operation to its items and encode the results; in a worker if that may take long.

        Args:
            may_take_long: decoding the body may, whatever the operation.

        Raises:
            NotFound: there is no such operation.
            InvalidRequest: the parameters or an item do not match the schema.
            IdempotencyConflict: the request's key was sent with another body.
            DeadlineExceeded, TooLarge, Unavailable: a worker did not end in time, needed too much memory, or was lost.
        """
        operation = self._catalog.get(kind, name)
        if operation is None:
            raise NotFound("there is no operation of this kind and name; GET /v1/catalog lists them")
        prepared: Prepared | None = None
        content: Any = body or read(b"")
        if not may_take_long and operation.cost.bounded:
            content = read(body)
            prepared = prepare(operation, *content)
            if prepared.may_take_long:
                prepared = None
        if prepared is not None:
            compute = partial(self._answer_here, prepared, encode, deadline, scope)
        else:
            compute = partial(self._answer_in_worker, (kind, name, read, encode), body, deadline, scope)
        address = scope.make_attempt_address("apply", kind, name)
        if address is None:
            return await compute(None)
        digest, attempts = digest_body(content), self._runtime.attempts
        if not operation.stateful:
            answer, _ = await attempts.answer_if_same_body(address, digest, compute(None))
            return answer
        return await attempts.answer_once(
            address, digest, deadline, compute, lambda record: encode(decode_results(record))
        )

    async def _answer_here(
        self,
        prepared: Prepared,
        encode: EncodeResults,
        deadline: float | None,
        scope: RequestScope,
        attempt: Attempt | None,
    ) -> Any:
        """Apply an operation on the event loop and commit its changes of state."""
        context = RequestContext(deadline, scope=scope)
        results = await run_effects(answer(prepared), self._runtime, context)
        await self._runtime.commit(context.state.writes, attempt, encode_results(results) if attempt else b"")
        return encode(results)

    async def _answer_in_worker(
        self,
        request: tuple[str, str, ReadBody, EncodeResults],
        body: bytes,
        deadline: float | None,
        scope: RequestScope,
        attempt: Attempt | None,
    ) -> Any:
        """Apply an operation in a worker process and commit its changes of state."""
        kind, name, read, encode = request
        context = RequestContext(deadline, scope=scope)
        encode_all = encode if attempt is None else partial(encode_recorded, encode)
        answered = await self._runtime.compute(partial(answer_body, kind, name, read, encode_all), body, context)
        answered, record = (answered, b"") if attempt is None else answered
        await self._runtime.commit(context.state.writes, attempt, record)
        return answered

    def list_entries(self) -> list[dict[str, Any]]:
        """Rows of ``GET /v1/catalog``."""
        return [operation.catalog_entry() for operation in self._catalog]


def _give_items(
    items: list[Any], params: dict[str, Any] | None, body: bytes
) -> tuple[list[Any], dict[str, Any] | None]:
    """Read a body that has been decoded before."""
    return items, params
