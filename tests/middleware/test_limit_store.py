from callm.middleware.limit_store import LimitStore, ProcessStore
from callm.policy.window import Admission, Limits
from callm.types.limits import Remaining
from tests.support import run_jumping


def test_each_key_has_a_window_of_its_own():
    async def main():
        store: LimitStore = ProcessStore()
        limits = Limits(requests=1, tokens=100)
        one = Admission(1, 50)
        assert await store.take("a", limits, one) == 0
        assert await store.take("a", limits, Admission()) == 60
        assert await store.take("b", limits, Admission()) == 0
        assert await store.late("a", limits, (1, 0), 10) == 60
        assert await store.late("c", limits, (1, 0), 10) == 0
        await store.settle("a", one, 10)
        await store.refund("a", one)
        assert await store.take("a", limits, Admission(1, 100)) == 0

    run_jumping(main())


def test_a_pause_and_what_the_provider_says_come_to_the_key():
    async def main():
        store, limits = ProcessStore(), Limits(requests=10)
        await store.pause("a", limits, 5)
        assert await store.take("a", limits, Admission()) == 5
        await store.learn("b", limits, Remaining(0, 7.0))
        assert await store.take("b", limits, Admission()) == 7
        assert repr(store) == "ProcessStore()"

    run_jumping(main())
