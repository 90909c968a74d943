import asyncio

import pytest

from callm.errors import PoolTimeout
from callm.io.slots import Slots


async def _queue(slots: Slots, order: list[str], name: str, host: str) -> None:
    await slots.wait(host, None)
    order.append(name)


async def test_slots_are_taken_until_the_pool_is_full() -> None:
    slots = Slots(2, 0)
    assert [slots.take("a"), slots.take("b"), slots.take("c")] == [True, True, False]
    slots.give("a")
    assert slots.take("c")


async def test_a_host_takes_no_more_than_its_share() -> None:
    slots = Slots(10, 1)
    assert [slots.take("a"), slots.take("a"), slots.take("b")] == [True, False, True]


async def test_waiters_are_served_in_the_order_they_came() -> None:
    slots, order = Slots(1, 0), list[str]()
    assert slots.take("a")
    names = [("1", "a"), ("2", "b"), ("3", "a"), ("4", "b")]
    tasks = [asyncio.create_task(_queue(slots, order, name, host)) for name, host in names]
    await asyncio.sleep(0)
    for _, host in [("0", "a"), *names[:-1]]:
        slots.give(host)
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == ["1", "2", "3", "4"]


async def test_a_host_with_room_does_not_wait_behind_one_without() -> None:
    slots, order = Slots(2, 1), list[str]()
    assert slots.take("a")
    assert slots.take("b")
    tasks = [asyncio.create_task(_queue(slots, order, name, name)) for name in ("a", "c")]
    await asyncio.sleep(0)
    slots.give("b")
    await asyncio.sleep(0)
    assert order == ["c"]
    slots.give("a")
    await asyncio.gather(*tasks)
    assert order == ["c", "a"]


async def test_nobody_overtakes_a_waiter_of_the_same_host() -> None:
    slots, order = Slots(1, 0), list[str]()
    assert slots.take("a")
    task = asyncio.create_task(_queue(slots, order, "first", "a"))
    await asyncio.sleep(0)
    slots.give("a")
    assert not slots.take("a")
    await task


@pytest.mark.parametrize(
    ("size", "per_host", "setting"),
    [(1, 0, "all 1 are in use .1 to this host.. Raise pool_size,"), (9, 1, "pool_size_per_host")],
)
async def test_waiting_too_long_says_what_to_raise(size: int, per_host: int, setting: str) -> None:
    slots = Slots(size, per_host)
    assert slots.take("https://a")
    with pytest.raises(PoolTimeout, match=f"https://a became free in 0.01 s.*{setting}") as caught:
        await slots.wait("https://a", 0.01)
    assert (caught.value.phase, caught.value.seconds, caught.value.retryable) == ("pool", 0.01, True)
    slots.give("https://a")
    assert slots.take("https://a")


async def test_a_cancelled_waiter_leaves_the_queue() -> None:
    slots, order = Slots(1, 0), list[str]()
    assert slots.take("a")
    tasks = [asyncio.create_task(_queue(slots, order, name, "a")) for name in ("1", "2")]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    slots.give("a")
    await tasks[1]
    assert order == ["2"]


async def test_a_waiter_cancelled_after_the_hand_over_gives_the_slot_back() -> None:
    slots, order = Slots(1, 0), list[str]()
    assert slots.take("a")
    task = asyncio.create_task(_queue(slots, order, "1", "a"))
    await asyncio.sleep(0)
    slots.give("a")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slots.take("b")


async def test_ten_thousand_cancelled_waiters_leave_nothing_behind() -> None:
    slots = Slots(1, 0)
    assert slots.take("a")
    tasks = [asyncio.create_task(slots.wait(str(number % 7), None)) for number in range(10_000)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    slots.give("a")
    assert slots.take("0")
    assert (slots._waiters, slots._hosts) == ({}, {"0": 1})
