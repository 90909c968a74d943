"""The line behind a question under way: who gets the answer, who asks next, and that nobody is left."""

import asyncio
import copy
import pickle

from callm.middleware.flights import Flight, Flights, Turn
from callm.policy.cache_entry import Entry
from tests.support import run_jumping

ENTRY = Entry(1, 0.0, [])


async def line(flight, length):
    """Let `length` tasks stand in line."""
    tasks = [asyncio.create_task(flight.wait()) for _ in range(length)]
    await asyncio.sleep(0)
    return tasks


def test_the_first_leads_and_the_others_join_until_it_landed():
    async def main():
        flights = Flights()
        flight, leads = flights.join("a", asyncio.get_running_loop())
        again, other = flights.join("a", asyncio.get_running_loop()), flights.join("b", asyncio.get_running_loop())
        assert (leads, again, other[1]) == (True, (flight, False), True)
        flight.land(None)
        assert flights.join("a", asyncio.get_running_loop())[1]
        return len(flights)

    assert run_jumping(main()) == 2


def test_all_in_line_get_the_answer():
    async def main():
        flight = Flight(asyncio.get_running_loop())
        tasks = await line(flight, 3)
        flight.land(ENTRY)
        return await asyncio.gather(*tasks)

    assert run_jumping(main()) == [ENTRY] * 3


def test_an_answer_not_to_be_shared_lets_each_ask_for_itself():
    async def main():
        flight = Flight(asyncio.get_running_loop())
        tasks = await line(flight, 3)
        flight.land(None)
        return await asyncio.gather(*tasks)

    assert run_jumping(main()) == [Turn.ALONE] * 3


def test_when_the_leader_fails_the_first_in_line_who_still_waits_leads():
    async def main():
        flights = Flights()
        flight, _ = flights.join("a", asyncio.get_running_loop())
        tasks = await line(flight, 3)
        tasks[0].cancel()
        await asyncio.sleep(0)
        flight.fail()
        assert await tasks[1] is Turn.LEAD
        assert not tasks[2].done()
        assert flights.join("a", asyncio.get_running_loop()) == (flight, False)
        flight.fail()
        assert await tasks[2] is Turn.LEAD
        flight.fail()
        return len(flights)

    assert run_jumping(main()) == 0


def test_who_is_cancelled_just_when_it_was_to_lead_lets_the_next_one_lead():
    async def main():
        flight = Flight(asyncio.get_running_loop())
        tasks = await line(flight, 3)
        flight.fail()
        tasks[0].cancel()
        await asyncio.sleep(0)
        tasks[1].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = run_jumping(main())
    assert isinstance(first, asyncio.CancelledError)
    assert isinstance(second, asyncio.CancelledError)
    assert third is Turn.LEAD


def test_nobody_waits_for_a_leader_whose_consumer_has_stopped_reading():
    async def main():
        loop = asyncio.get_running_loop()
        flight = Flight(loop)
        [patient] = await line(flight, 1)
        await asyncio.sleep(50)
        assert not patient.done()  # the model is slow, not the consumer
        flight.paused = asyncio.get_running_loop().time()
        began = loop.time()
        assert await patient is Turn.ALONE
        return loop.time() - began

    assert 1.0 <= run_jumping(main()) <= 2.0


def test_a_leader_that_goes_on_is_waited_for_again():
    async def main():
        flight = Flight(asyncio.get_running_loop())
        [patient] = await line(flight, 1)
        for _ in range(20):
            flight.paused = asyncio.get_running_loop().time()
            await asyncio.sleep(0.9)
            flight.paused = None
            await asyncio.sleep(0.9)
        flight.land(ENTRY)
        return await patient

    assert run_jumping(main()) is ENTRY


def test_a_line_belongs_to_one_event_loop():
    flights = Flights()

    async def join():
        return flights.join("a", asyncio.get_running_loop())[1]

    assert (run_jumping(join()), run_jumping(join())) == (True, True)


def test_a_copy_has_no_questions_under_way():
    async def main():
        flights = Flights()
        flights.join("a", asyncio.get_running_loop())
        return [len(copied) for copied in (copy.deepcopy(flights), pickle.loads(pickle.dumps(flights)))]

    assert run_jumping(main()) == [0, 0]
