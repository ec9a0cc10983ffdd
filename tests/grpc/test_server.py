"""The server as clients of the standard protocols see it: health, reflection, stopping."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from reward_gateway.grpc import server
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.telemetry.traces import Tracer
from structlog.contextvars import get_contextvars

from tests.clock import turns, until

from .asking import refusal

pytestmark = pytest.mark.anyio

SERVICE = "reward_gateway.v1.RewardService"
Health = health_pb2.HealthCheckResponse


async def health_of(served: Any, service: str = "") -> Any:
    stub = health_pb2_grpc.HealthStub(served.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status


@pytest.mark.parametrize("service", ["", SERVICE])
async def test_health_follows_the_models_and_the_drain(served: Any, service: str) -> None:
    assert await health_of(served, service) == Health.SERVING
    served.models.away = True
    assert await health_of(served, service) == Health.NOT_SERVING
    served.models.away = False
    assert await health_of(served, service) == Health.SERVING
    served.traffic.drain.begin()
    assert await health_of(served, service) == Health.NOT_SERVING


async def test_a_recipe_has_a_health_of_its_own(served: Any) -> None:
    served.models.lost = {"pictures"}
    assert await health_of(served, "plain") == await health_of(served) == Health.SERVING
    assert await health_of(served, "looks") == Health.NOT_SERVING
    served.models.lost = {"letters"}
    assert await health_of(served, "looks") == Health.SERVING
    assert await health_of(served, "plain") == await health_of(served) == Health.NOT_SERVING


async def test_a_call_has_a_span_below_the_callers_and_a_refused_one_has_none(serve: Any) -> None:
    spans: list[tuple[str, dict[str, str]]] = []

    class Spans(Tracer):
        @property
        def enabled(self) -> bool:
            return True

        @contextmanager
        def span(self, name: str, carrier: Any = None, **_: Any) -> Iterator[None]:
            spans.append((name, carrier))
            yield

    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with serve(tracer=Spans()) as served:
        await served.stub.Score(
            pb.ScoreRequest(samples=[pb.Sample(response="abc")]), metadata=(("traceparent", parent),)
        )
        served.traffic.drain.begin()
        with pytest.raises(grpc.aio.AioRpcError):
            await served.stub.Score(pb.ScoreRequest(samples=[pb.Sample(response="abc")]))
    assert [name for name, _ in spans] == ["gRPC Score"]
    assert spans[0][1]["traceparent"] == parent


async def test_health_of_an_unknown_service_is_not_found(served: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health_of(served, "nothing")

    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_those_who_watch_are_told(served: Any) -> None:
    watch = health_pb2_grpc.HealthStub(served.channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))

    assert (await watch.read()).status == Health.SERVING
    served.traffic.drain.begin()
    assert (await watch.read()).status == Health.NOT_SERVING
    watch.cancel()


async def test_reflection_tells_the_published_service(served: Any) -> None:
    def reflected() -> tuple[set[str], list[str]]:
        with grpc.insecure_channel(f"127.0.0.1:{served.server.port}") as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            service = DescriptorPool(database).FindServiceByName(SERVICE)
            return set(database.get_services()), [method.name for method in service.methods]

    services, methods = await asyncio.to_thread(reflected)

    assert {SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} <= services
    assert methods == [
        *("Score", "ScoreStream", "SubmitJob", "JobResults", "CancelJob", "RunResults"),
        *("Apply", "ListRewards", "Catalog"),
    ]


async def test_stopping_lets_calls_under_way_finish(served: Any) -> None:
    served.models.gate.shut()
    call = served.stub.Score(pb.ScoreRequest(samples=[pb.Sample(response="four")]))
    asked = asyncio.ensure_future(call.code())
    await until(lambda: served.models.calls)
    stopping = asyncio.ensure_future(served.server.stop(300))
    await turns()
    served.models.gate.open()
    await stopping

    assert await asked is grpc.StatusCode.OK


async def test_a_second_process_shares_the_port_and_a_bad_address_is_an_error(served: Any) -> None:
    twin = await server.start(served.gateway, served.settings, served.traffic, port=served.server.port)
    await twin.stop(0)

    elsewhere = served.settings.model_copy(update={"http_host": "192.0.2.1"})
    with pytest.raises(OSError, match="cannot listen"):
        await server.start(served.gateway, elsewhere, served.traffic, port=0)


async def test_whatever_a_call_logs_has_its_id(served: Any) -> None:
    bound: list[dict[str, Any]] = []

    async def fail(*_: Any) -> None:
        await asyncio.sleep(0)
        bound.append(get_contextvars())
        raise RuntimeError

    served.gateway.score = fail
    request = pb.ScoreRequest(samples=[pb.Sample(response="abc")])
    ids = []
    for given in ((), (("x-request-id", "mine"),)):
        status, metadata, _ = await refusal(served.stub.Score(request, metadata=given))
        assert status == "INTERNAL"
        ids.append(metadata["x-request-id"])
    assert bound == [{"request_id": name} for name in ids]
    assert (len(ids[0]), ids[1]) == (32, "mine")
    assert get_contextvars() == {}
