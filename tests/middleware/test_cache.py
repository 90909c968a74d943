"""Answers that are played again: what is stored, what is played, who may say otherwise. No clock runs here."""

import asyncio
import copy
import pickle
import sqlite3
from contextlib import aclosing

import pytest

from callm.errors import AuthError, CallmError, ConfigError, ServerError, TruncatedStream
from callm.io.sqlite_store import SQLiteStore
from callm.io.stores import MemoryStore
from callm.middleware.cache import Cache
from callm.middleware.fallback import Fallback
from callm.middleware.retry import Retry
from callm.parse.output import Output
from callm.testing import ScriptedModel
from callm.types import (
    AttemptFailed,
    CacheHit,
    CallOptions,
    Event,
    Finish,
    Message,
    Request,
    Response,
    ResponseHeaders,
    Secret,
    Selected,
    Settings,
    TextDelta,
    Usage,
    UsageReport,
    Waited,
)
from tests.middleware.slow import Slow
from tests.support import run_jumping

HEADERS = ResponseHeaders(200, {"a": "b"}, "r1", "p/m")
STOP = Finish("stop")
ANSWER: list[list[Event]] = [[HEADERS], [TextDelta("a"), TextDelta("b")], [UsageReport(Usage(1, 2)), STOP]]
ASK = Request((Message.user("hi"),))


class Clock:
    """The seconds since 1970, moved by hand."""

    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now


def cached(*attempts, store=None, **options):
    options.setdefault("clock", Clock())
    return Cache(ScriptedModel(*attempts or [ANSWER]), MemoryStore() if store is None else store, **options)


def asked(model):
    return len(model.inner.requests)


def options(request=ASK, **given):
    return Request(request.messages, stream=request.stream, output=request.output, options=CallOptions(**given))


async def collect(model, request=ASK):
    async with aclosing(model.stream(request)) as batches:
        return [batch async for batch in batches]


def play(model, *requests):
    """Return the batches of each request, or its error, one after the other."""

    async def main():
        got = []
        for request in requests or (ASK,):
            try:
                got.append(await collect(model, request))
            except CallmError as error:
                got.append(error)
        return got

    return run_jumping(main())


def fold(batches):
    response = Response()
    for batch in batches:
        response.add(batch)
    return response


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("stored", ["memory", "file"])
def test_the_second_call_plays_the_first_ones_batches_behind_a_cache_hit(stored, stream, tmp_path):
    store = MemoryStore() if stored == "memory" else SQLiteStore(tmp_path / "cache.db")
    clock = Clock()
    model = cached(store=store, clock=clock)
    [first] = play(model)
    clock.now += 7
    [second] = play(model, Request(ASK.messages, stream=stream))
    store.close()
    assert first == ANSWER
    assert second == [[CacheHit(7.0)], *ANSWER]
    assert asked(model) == 1
    assert (fold(second).cached, fold(second).text, fold(second).usage) == (True, "ab", Usage(1, 2))


def test_other_requests_and_other_tenants_are_asked():
    store = MemoryStore()
    inner = ScriptedModel(ANSWER)
    one, other = Cache(inner, store, salt="one"), Cache(inner, store, salt="other")
    play(one, ASK, Request((Message.user("ho"),)))
    play(other, ASK)
    assert len(inner.requests) == 3
    play(other, ASK)
    play(one, ASK)
    assert len(inner.requests) == 3


def test_the_plan_shows_no_salt():
    assert repr(cached(salt="tenant-7", ttl=60)) == (
        "Cache(inner=ScriptedModel(name='scripted', attempts=1), "
        "store=MemoryStore(0 of at most 10000 entries, 0 bytes), ttl=60, timing=False)"
    )
    assert cached().name == "scripted"


@pytest.mark.parametrize("ttl", [0, -1, float("nan")])
def test_a_ttl_that_keeps_nothing_is_refused(ttl):
    with pytest.raises(ConfigError, match="ttl"):
        cached(ttl=ttl)


def test_what_belongs_to_the_first_call_only_is_not_played():
    failed = AttemptFailed("a", "ServerError", "server_error", "down")
    last: list[Event] = [Selected("b"), TextDelta("x"), STOP]
    model = cached([[Waited("l", 2.0)], [Selected("a"), TextDelta("?"), failed], last])
    first, second = play(model, ASK, ASK)
    assert len(first) == 3
    assert second == [[CacheHit(0.0)], last]


@pytest.mark.parametrize("reason", ["length", "content_filter", "refusal", "pause", "error", "other"])
def test_an_answer_that_did_not_end_well_is_asked_again(reason):
    model = cached([[TextDelta("a")], [Finish(reason)]])
    first, second = play(model, ASK, ASK)
    assert first == second
    assert asked(model) == 2


@pytest.mark.parametrize("error", [TruncatedStream("cut"), ServerError("down"), AuthError("no")], ids=repr)
def test_a_failed_answer_is_asked_again(error):
    model = cached([*ANSWER, error], ANSWER)
    first, second, third = play(model, ASK, ASK, ASK)
    assert type(first) is type(error)
    assert (second, third) == (ANSWER, [[CacheHit(0.0)], *ANSWER])


def test_an_answer_without_its_end_is_asked_again():
    model = cached([[TextDelta("a")]])
    play(model, ASK, ASK)
    assert asked(model) == 2


def test_an_answer_that_is_not_of_the_declared_type_is_asked_again():
    model = cached([[TextDelta("nothing"), STOP]], [[TextDelta("[1]"), STOP]])
    request = Request(ASK.messages, output=Output(list[int]))
    play(model, request, request, request)
    assert asked(model) == 2


def test_a_stream_that_is_left_early_is_asked_again():
    async def main():
        async with aclosing(model.stream(ASK)) as batches:
            async for batch in batches:
                if STOP in batch:
                    break

    model = cached()
    run_jumping(main())
    assert (asked(model), model.inner.open_streams) == (1, 0)
    play(model)
    assert asked(model) == 2


def test_a_call_may_go_past_the_cache_both_ways():
    model = cached()
    play(model, options(cache=False), options(cache=False))
    assert (asked(model), len(model.store)) == (2, 0)
    play(model, ASK, options(cache=False))
    assert asked(model) == 4


def test_refresh_asks_and_overwrites():
    model = cached([[TextDelta("old"), STOP]], [[TextDelta("new"), STOP]])
    old, new, again = play(model, ASK, options(cache="refresh"), ASK)
    assert [fold(batches).text for batches in (old, new, again)] == ["old", "new", "new"]
    assert [fold(batches).cached for batches in (old, new, again)] == [False, False, True]


def test_a_refresh_that_fails_leaves_the_old_answer():
    model = cached(ANSWER, [ServerError("down")])
    assert [type(one) for one in play(model, ASK, options(cache="refresh"), ASK)] == [list, ServerError, list]
    assert asked(model) == 2


@pytest.mark.parametrize(
    ("ttl", "call_ttl", "age", "hit"),
    [
        (None, None, 1e9, True),
        (10, None, 9, True),
        (10, None, 10, False),
        (10, 100, 99, True),
        (100, 10, 10, False),
        (None, 10, 10, False),
        (None, 0, 0, False),
    ],
)
def test_a_calls_ttl_wins_over_that_of_the_cache(ttl, call_ttl, age, hit):
    clock = Clock()
    model = cached(ttl=ttl, clock=clock)
    play(model, options(cache_ttl=call_ttl))
    clock.now += age
    play(model, options(cache_ttl=call_ttl))
    assert asked(model) == (1 if hit else 2)


def test_a_call_may_ask_for_a_younger_answer_than_is_stored():
    clock = Clock()
    model = cached(clock=clock)
    play(model)
    clock.now += 60
    play(model, options(cache_ttl=30))
    assert asked(model) == 2


def test_a_clock_that_was_set_back_gives_no_negative_age():
    clock = Clock()
    model = cached(clock=clock)
    play(model)
    clock.now -= 60
    assert play(model)[0][0] == [CacheHit(0.0)]


@pytest.mark.parametrize(("timing", "took"), [(True, 3.5), (False, 0.0)])
def test_a_stream_may_be_played_at_its_own_pace(timing, took):
    model = Cache(
        Slow((1, [HEADERS]), (2, [TextDelta("a")]), (0.5, [STOP])), MemoryStore(), timing=timing, clock=Clock()
    )

    async def main():
        await collect(model)
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert (await collect(model))[0] == [CacheHit(0.0)]
        return loop.time() - began

    assert run_jumping(main()) == pytest.approx(took)


def test_a_fallbacks_answer_is_stored_under_the_one_that_answered():
    store = MemoryStore()
    first = Cache(ScriptedModel([ServerError("down")], name="first"), store, clock=Clock())
    second = Cache(ScriptedModel(ANSWER, name="second"), store, clock=Clock())
    play(Fallback((first, second)))
    assert len(store) == 1
    assert play(second) == [[[CacheHit(0.0)], *ANSWER]]
    play(first)
    assert (asked(first), asked(second)) == (2, 1)


def test_a_cache_around_a_fallback_says_who_answered():
    models = (ScriptedModel([ServerError("down")], name="p/a"), ScriptedModel([[TextDelta("x"), STOP]], name="p/b"))
    model = Cache(Fallback(tuple(map(Retry, models))), MemoryStore())
    first, second = (fold(batches) for batches in play(model, ASK, ASK))
    assert (first.answered_by, second.answered_by) == ("p/b", "p/b")
    assert (len(first.attempts), len(second.attempts), second.text) == (3, 0, "x")


@pytest.mark.parametrize("garbage", [b"", b"\0", b"\x93\x01", b"x" * 1000, None], ids=repr)
def test_a_broken_entry_is_a_miss_and_is_deleted(garbage):
    model = cached()
    play(model)
    [(key, (value, _))] = model.store._entries.items()
    model.store.set(key, value[:-1] if garbage is None else garbage, 0.0, None)
    deleted: list[str] = []
    model.store.delete = deleted.append
    assert play(model, ASK, ASK) == [ANSWER, [[CacheHit(0.0)], *ANSWER]]
    assert deleted == [key]


def test_a_locked_file_means_not_stored(tmp_path):
    store = SQLiteStore(tmp_path / "cache.db")
    model = cached(store=store)
    store.set("k", b"v", 0.0, None)
    with sqlite3.connect(tmp_path / "cache.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert play(model, ASK) == [ANSWER]
        other.execute("ROLLBACK")
    other.close()
    assert "locked" in str(store.problem)
    play(model, ASK)
    assert play(model, ASK)[0][0] == [CacheHit(0.0)]
    assert asked(model) == 2
    store.close()


@pytest.mark.parametrize(
    "settings", [Settings(extra={"a": object()}), Settings(headers={"a": Secret(None)})], ids=["extra", "header"]
)
def test_what_has_no_key_is_left_to_the_model(settings):
    model = cached()
    assert play(model, Request(ASK.messages, settings=settings)) == [ANSWER]
    assert len(model.store) == 0


def test_neither_the_question_nor_a_key_is_in_the_store(tmp_path):
    store = SQLiteStore(tmp_path / "cache.db")
    settings = Settings(headers={"authorization": Secret("canary-key")}, extra={"user": "canary-user"})
    play(cached(store=store, salt="canary-salt"), Request((Message.user("canary-text"),), settings=settings))
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    store.close()
    assert b"text_delta" in data
    assert b"canary" not in data


def test_what_a_consumer_does_to_its_batches_does_not_reach_the_store():
    model = cached()

    async def main():
        async with aclosing(model.stream(ASK)) as batches:
            async for batch in batches:
                batch.clear()

    run_jumping(main())
    assert play(model)[0][1:] == ANSWER


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_works(copied):
    model = copied(cached())
    assert len(play(model, ASK, ASK)[1]) == 4
