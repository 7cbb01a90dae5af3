"""What is under way to readers that do not read is bounded, and one credential cannot spend it all."""

import asyncio

import pytest

from service.rpc.outflow import Flow, Outflow

MIB = 1024 * 1024


async def taken(_: bytes) -> None:
    """A reader that reads."""


async def ignored(_: bytes) -> None:
    """A reader that does not."""
    await asyncio.Event().wait()


async def stuck(outflow: Outflow, credential: str, size: int) -> Flow:
    flow = Flow(outflow, credential)
    with pytest.raises(TimeoutError):
        await flow.write(ignored, b"x" * size)
    return flow


async def test_what_is_taken_does_not_count() -> None:
    outflow = Outflow(8 * MIB, patience=0.01)
    flow = Flow(outflow, "key")
    for _ in range(20):
        await flow.room()
        await flow.write(taken, b"x" * MIB)
    assert (outflow.used, outflow.used_by) == (0, {})


async def test_what_is_not_taken_counts_until_the_call_is_over() -> None:
    outflow = Outflow(8 * MIB, patience=0.01)
    flow = await stuck(outflow, "key", MIB)
    assert outflow.used == MIB
    flow.close()
    flow.close()
    assert (outflow.used, outflow.used_by) == (0, {})


async def test_a_credential_whose_streams_are_not_read_waits_and_others_do_not() -> None:
    outflow = Outflow(8 * MIB, patience=0.01)
    flows = [await stuck(outflow, "broken", MIB) for _ in range(4)]
    with pytest.raises(TimeoutError):
        await Flow(outflow, "broken").room()
    await Flow(outflow, "whole").room()
    flows[0].close()
    await Flow(outflow, "broken").room()


async def test_with_the_whole_budget_spent_each_credential_still_has_a_little() -> None:
    outflow = Outflow(8 * MIB, patience=0.01)
    for credential in ("a", "a", "b", "b"):
        await stuck(outflow, credential, 2 * MIB)
    await Flow(outflow, "c").room()
    await stuck(outflow, "c", MIB)
    with pytest.raises(TimeoutError):
        await Flow(outflow, "c").room()
