"""First come, first served, whoever leaves from wherever."""

import asyncio
import threading

import pytest

from callm.middleware.line import Line, Place
from callm.policy.window import NEVER
from tests.support import run_jumping


def test_the_first_is_the_head_and_leaving_makes_the_next_one_the_head():
    async def main():
        line = Line()
        one, two, three = line.enter(1, 5), line.enter(1, 5), line.enter(2, 0)
        assert (one.head, two.head, len(line), line.requests, line.tokens) == (True, False, 3, 4, 10)
        line.leave(two)
        assert (three.head, len(line), line.requests, line.tokens) == (False, 2, 3, 5)
        line.leave(one)
        assert (three.head, len(line)) == (True, 1)
        line.leave(three)
        assert (len(line), line.requests, line.tokens, list(line.places)) == (0, 0, 0, [])

    run_jumping(main())


def test_a_wait_ends_when_called_or_when_its_time_has_come():
    async def main():
        line, loop = Line(), asyncio.get_running_loop()
        began, head = loop.time(), line.enter(1, 1)
        await line.wait(head, began + 7)
        assert loop.time() - began == 7
        loop.call_later(3, line.call)
        await line.wait(head, NEVER)
        assert loop.time() - began == 10

    run_jumping(main())


def test_a_call_that_comes_while_nobody_listens_is_kept():
    async def main():
        line = Line()
        head = line.enter(1, 1)
        line.call()
        began = head.loop.time()
        await line.wait(head, NEVER)
        assert head.loop.time() == began

    run_jumping(main())


def test_many_who_left_from_the_middle_are_forgotten():
    async def main():
        line = Line()
        line.enter(1, 1)
        for _ in range(1000):
            line.leave(line.enter(1, 1))
        assert len(line) == 1
        assert len(line.places) < 100

    run_jumping(main())


def test_a_call_from_another_thread_reaches_the_loop_of_the_head():
    async def main():
        line = Line()
        head = line.enter(1, 1)
        thread = threading.Timer(0.02, line.call)
        thread.start()
        await asyncio.wait_for(line.wait(head, NEVER), 5)
        thread.join()

    asyncio.run(main())


@pytest.mark.parametrize("sleeping", [True, False])
def test_a_head_whose_loop_is_closed_is_passed_over(sleeping):
    line = Line()

    dead: list[Place] = []

    async def abandon():
        dead.append(line.enter(1, 1))
        if sleeping:
            dead[0].future = dead[0].loop.create_future()

    asyncio.run(abandon())

    async def main():
        mine = line.enter(1, 1)
        assert not mine.head
        line.call()
        assert (mine.head, len(line), line.requests) == (True, 1, 1)
        line.leave(dead[0])  # when its coroutine is collected
        assert (line.places[0], len(line), line.requests) == (mine, 1, 1)

    asyncio.run(main())
