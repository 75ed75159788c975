"""What happens around every RPC."""

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from chassis import tracing
from chassis.errors import LockConflict, NotFound
from chassis.server import mark_accepted, mark_replayed
from protos.orders.v1 import orders_pb2 as pb
from tests.unit.chassis.serving import Serving, counted, serving

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def _an_order(_request: Any, _context: Any) -> pb.Order:
    return pb.Order(customer_id="c-17")


def _raising(error: Exception) -> Any:
    async def answer(_request: Any, _context: Any) -> pb.Order:
        raise error

    return answer


async def _refusal(served: Serving, **options: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await served.get_order(**options)
    return refused.value


def _trailer(metadata: Any, name: str) -> str | None:
    return next((value for key, value in metadata if key == name), None)


def test_an_answer_carries_the_trace_of_its_caller() -> None:
    async def run() -> None:
        seen: list[str] = []

        async def answer(_request: Any, _context: Any) -> pb.Order:
            seen.append(tracing.current.get())
            return pb.Order()

        async with serving(answer) as served:
            call = served.get_order(metadata=(("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"),))
            await call
            assert _trailer(await call.trailing_metadata(), "x-trace-id") == TRACE
            assert [tracing.trace_id_of(traceparent) for traceparent in seen] == [TRACE]

    asyncio.run(run())


def test_a_caller_without_a_trace_is_given_one_of_its_own() -> None:
    async def run() -> None:
        async with serving(_an_order) as served:
            calls = [served.get_order() for _ in range(2)]
            await asyncio.gather(*calls)
            traces = {_trailer(await call.trailing_metadata(), "x-trace-id") for call in calls}
            assert len(traces) == 2
            assert all(trace and len(trace) == 32 for trace in traces)

    asyncio.run(run())


def test_a_refusal_becomes_a_status_with_its_reason_and_keeps_the_trace() -> None:
    async def run() -> None:
        async with serving(_raising(LockConflict("busy", metadata={"sku": "A"}))) as served:
            refused = await _refusal(served)
            assert refused.code() is grpc.StatusCode.ABORTED
            assert refused.details() == "busy"
            status = rpc_status.from_call(refused)  # type: ignore[arg-type]
            assert status is not None
            info = error_details_pb2.ErrorInfo()
            assert status.details[0].Unpack(info)
            assert (info.reason, info.domain, info.metadata["sku"]) == ("lock_conflict", "serving", "A")
            assert _trailer(refused.trailing_metadata(), "x-trace-id")

    asyncio.run(run())


def test_a_bug_is_answered_without_its_text_and_logged_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    async def run() -> None:
        async with serving(_raising(ZeroDivisionError("the inside"))) as served:
            refused = await _refusal(served)
            assert refused.code() is grpc.StatusCode.INTERNAL
            assert refused.details() == "internal error"
            assert "the inside" not in str(refused.trailing_metadata())

    asyncio.run(run())
    assert "the inside" in capsys.readouterr().out


def test_a_request_that_breaks_a_rule_never_reaches_the_servicer() -> None:
    async def run() -> None:
        async with serving(_raising(AssertionError("reached"))) as served:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await served.orders.GetOrder(pb.GetOrderRequest(order_id="nonsense"))
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            status = rpc_status.from_call(refused.value)  # type: ignore[arg-type]
            assert status is not None
            bad = error_details_pb2.BadRequest()
            assert status.details[1].Unpack(bad)
            assert [violation.field for violation in bad.field_violations] == ["order_id"]

    asyncio.run(run())


def test_a_method_of_the_proto_that_is_not_served_says_so() -> None:
    async def run() -> None:
        async with serving(_an_order) as served:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await served.orders.ListOrders(pb.ListOrdersRequest())
            assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED

    asyncio.run(run())


def test_more_calls_than_allowed_are_refused_at_once_and_told_when_to_come_again() -> None:
    async def run() -> None:
        free = asyncio.Event()
        inside = asyncio.Event()

        async def answer(_request: Any, _context: Any) -> pb.Order:
            inside.set()
            await free.wait()
            return pb.Order()

        async with serving(answer, max_in_flight=1) as served:
            first = asyncio.ensure_future(served.get_order())
            await inside.wait()
            refused = await _refusal(served)
            assert refused.code() is grpc.StatusCode.UNAVAILABLE
            status = rpc_status.from_call(refused)  # type: ignore[arg-type]
            assert status is not None
            assert status.details[1].Unpack(error_details_pb2.RetryInfo())
            free.set()
            await first

    asyncio.run(run())


def test_a_caller_that_goes_away_cancels_its_own_call_only() -> None:
    async def run() -> None:
        inside, cancelled = asyncio.Event(), asyncio.Event()

        async def answer(_request: Any, _context: Any) -> pb.Order:
            inside.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            return pb.Order()

        before = counted("CANCELLED")
        async with serving(answer) as served:
            call = served.get_order()
            await inside.wait()
            call.cancel()
            await asyncio.wait_for(cancelled.wait(), 5)
        assert counted("CANCELLED") == before + 1

    asyncio.run(run())


def test_a_deadline_that_passes_ends_the_call() -> None:
    async def run() -> None:
        async def answer(_request: Any, _context: Any) -> pb.Order:
            await asyncio.Event().wait()
            return pb.Order()

        async with serving(answer) as served:
            assert (await _refusal(served, timeout=0.05)).code() is grpc.StatusCode.DEADLINE_EXCEEDED

    asyncio.run(run())


def test_a_stream_is_watched_like_a_single_answer() -> None:
    async def run() -> None:
        async with serving(_raising(NotFound("gone"))) as served:
            call = served.batch()
            assert await call.read() == pb.BatchCreateOrdersResponse()
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call.read()
            assert refused.value.code() is grpc.StatusCode.NOT_FOUND
            assert _trailer(refused.value.trailing_metadata(), "x-trace-id")

    before = counted("NOT_FOUND", "BatchCreateOrders")
    asyncio.run(run())
    assert counted("NOT_FOUND", "BatchCreateOrders") == before + 1


def test_an_abort_by_the_servicer_itself_is_left_as_it_is() -> None:
    async def run() -> None:
        async def answer(_request: Any, context: Any) -> pb.Order:
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, "too far")
            return pb.Order()

        async with serving(answer) as served:
            refused = await _refusal(served)
            assert (refused.code(), refused.details()) == (grpc.StatusCode.OUT_OF_RANGE, "too far")

    before = counted("OUT_OF_RANGE")
    asyncio.run(run())
    assert counted("OUT_OF_RANGE") == before + 1


def test_marks_stand_beside_the_trace_in_the_trailers() -> None:
    async def run() -> None:
        async def answer(_request: Any, context: Any) -> pb.Order:
            mark_accepted(context)
            mark_replayed(context)
            return pb.Order()

        async with serving(answer) as served:
            call = served.get_order()
            await call
            trailers = await call.trailing_metadata()
            assert _trailer(trailers, "outcome") == "accepted"
            assert _trailer(trailers, "idempotent-replayed") == "true"
            assert _trailer(trailers, "x-trace-id")

    asyncio.run(run())


def test_every_call_is_counted_by_how_it_ended_and_timed() -> None:
    async def run() -> None:
        async with serving(_an_order) as served:
            await asyncio.gather(*(served.get_order() for _ in range(5)))

    before = counted("OK")
    asyncio.run(run())
    assert counted("OK") == before + 5
