"""What type checkers make of `@callm.function`. Read by mypy and pyright, run by nobody."""

import asyncio
from dataclasses import dataclass
from typing import Literal, Protocol, assert_type

import callm


@dataclass
class Person:
    name: str
    born: int | None = None


@callm.function("openai/gpt-5-mini")
def sentiment(review: str, *, strict: bool = False) -> Literal["good", "bad"]:
    """Classify this review: {{ review }}"""
    ...


@callm.function("openai/gpt-5-mini", prompt="Find everybody in: {{ text }}")
async def people(text: str) -> list[Person]: ...


def check_a_def_stays_sync() -> None:
    assert_type(sentiment("fine"), Literal["good", "bad"])
    assert_type(sentiment("fine", strict=True), Literal["good", "bad"])


async def check_an_async_def_stays_async() -> None:
    assert_type(await people("Ada"), list[Person])
    both = await asyncio.gather(people("Ada"), people("Alan"))
    assert_type(both[0], list[Person])


def check_the_parameters_are_those_of_the_function() -> None:
    sentiment(1)  # type: ignore[arg-type]
    sentiment()  # type: ignore[call-arg]
    sentiment("fine", True)  # type: ignore[call-arg]
    sentiment.stream("fine", strct=True)  # type: ignore[call-arg]


def check_what_stands_beside_the_call() -> None:
    assert_type(sentiment.parse("good"), Literal["good", "bad"])
    assert_type(sentiment.request("fine"), callm.HTTPRequest)
    assert_type(people.parse("[]"), list[Person])
    assert_type(people.with_options(settings=callm.Settings(temperature=0)).parse("[]"), list[Person])


def check_a_stream_is_of_the_value() -> None:
    with people.stream("Ada") as stream:
        for partial in stream:
            assert_type(partial, list[Person])
    assert_type(stream.result, list[Person])


async def check_a_stream_in_async_code() -> None:
    async with people.stream("Ada") as stream:
        async for partial in stream:
            assert_type(partial, list[Person])
        assert_type(await stream, list[Person])


def check_the_results_of_a_map() -> None:
    for result in people.map(["Ada", "Alan"]):
        assert_type(result, list[Person] | callm.CallmError)
    for number, value in people.map(["Ada", "Alan"]).as_completed():
        assert_type(number, int)
        assert_type(value, list[Person] | callm.CallmError)
    assert_type(people.map(["Ada"]).result(), list[list[Person] | callm.CallmError])


async def check_the_results_of_a_map_in_async_code() -> None:
    assert_type(await people.map(["Ada"]), list[list[Person] | callm.CallmError])
    async for result in people.map(["Ada"]):
        assert_type(result, list[Person] | callm.CallmError)


def check_a_static_method_is_a_function() -> None:
    class Agent:
        @staticmethod
        @callm.function("openai/gpt-5-mini")
        def ask(question: str) -> int:
            """{{ question }}"""
            ...

    assert_type(Agent.ask("How many?"), int)
    assert_type(Agent().ask.parse("7"), int)


def check_an_output_is_of_its_type() -> None:
    assert_type(callm.Output(Person).parse("{}"), Person)
    assert_type(callm.Output(list[int]).parse("[]"), list[int])
    assert_type(callm.Output(Person).read("{}").value, Person)
    for partial in callm.parse_partial(Person, ["{"]):
        assert_type(partial, Person)


class PartialPerson(Protocol):
    @property
    def name(self) -> str | None: ...
    @property
    def born(self) -> int | None: ...


def check_a_partial_value_fits_a_protocol_whose_fields_may_be_none() -> None:
    def show(person: PartialPerson) -> str:
        return person.name.upper()  # type: ignore[union-attr]

    for partial in callm.parse_partial(Person, ["{"]):
        show(partial)


def check_a_text_is_parsed_to_its_type() -> None:
    assert_type(callm.parse(Person, "{}"), Person)
    assert_type(callm.parse(list[int], "[1]", policy=callm.LENIENT), list[int])
