import pytest

from bench.results import TARGETS, Results, Target


def results(**cpu: list[float]) -> Results:
    found = Results()
    for peer, values in cpu.items():
        for value in values:
            found.add("call-64", peer, {"cpu": value, "wall": value * 2})
    return found


def test_the_median_of_the_rounds_ignores_one_that_was_disturbed() -> None:
    assert results(callm=[100.0, 101.0, 900.0]).median("call-64", "callm") == 101.0


def test_facts_are_told_apart() -> None:
    assert results(callm=[100.0, 104.0]).median("call-64", "callm", "wall") == 204.0


def test_a_ratio_says_how_many_times_the_second_goes_into_the_first() -> None:
    found = results(callm=[100.0], aiohttp=[80.0], openai=[1000.0])
    assert found.ratio("call-64", "callm", "aiohttp") == 1.25
    assert found.ratio("call-64", "openai", "callm") == 10.0


def test_the_spread_is_the_distance_of_the_extremes_over_the_median() -> None:
    assert results(callm=[90.0, 100.0, 120.0]).spread("call-64", "callm") == pytest.approx(0.3)


def test_a_difference_is_what_the_first_costs_more() -> None:
    assert results(callm=[150.0], aiohttp=[80.0]).difference("call-64", "callm", "aiohttp") == 70.0


def test_what_a_stack_costs_is_the_median_of_the_rounds_own_figures() -> None:
    found = Results()
    for cpu, over in ((150.0, 50.0), (300.0, 90.0), (160.0, 60.0)):  # the second round was disturbed
        found.add("resilience", "callm:memory-call-full", {"cpu": cpu, "over": over})
    assert found.over_bare("resilience", "callm:memory-call-full") == 60.0
    assert found.over_bare("resilience", "callm:limiter") is None


def test_what_was_not_measured_is_none_and_not_zero() -> None:
    found = results(callm=[100.0])
    assert found.median("call-1", "callm") is None
    assert found.median("call-64", "openai") is None
    assert found.median("call-64", "callm", "memory") is None
    assert found.ratio("call-64", "openai", "callm") is None
    assert found.ratio("call-64", "callm", "openai") is None
    assert found.difference("call-64", "callm", "openai") is None
    assert found.spread("call-64", "openai") is None


def test_no_target_can_be_measured_without_figures() -> None:
    assert all(target.measure(Results()) is None for target in TARGETS)


def test_an_upper_limit_is_reached_from_below_and_a_lower_one_from_above() -> None:
    upper = Target("", 1.7, at_most=True, unit="x", measure=lambda _: None)
    lower = Target("", 8, at_most=False, unit="x", measure=lambda _: None)
    assert (upper.reached(1.7), upper.reached(1.71), lower.reached(8), lower.reached(7.9)) == (True, False, True, False)


def test_the_targets_of_a_call_compare_the_right_peers() -> None:
    found = results(callm=[100.0], aiohttp=[80.0], openai=[1000.0])
    over_floor, under_openai = TARGETS[0], TARGETS[1]
    assert (over_floor.measure(found), under_openai.measure(found)) == (1.25, 10.0)


def test_sync_overhead_is_over_the_async_call_on_the_loop_that_the_portal_uses() -> None:
    found = Results()
    for peer, value in {"callm": 140.0, "callm:uvloop": 110.0, "callm:sync": 160.0}.items():
        found.add("call-1", peer, {"cpu": value})
    assert target("sync call").measure(found) == 50.0


def target(start: str) -> Target:
    return next(target for target in TARGETS if target.title.startswith(start))


def test_the_steepest_text_counts_and_the_long_stream_apart_from_it() -> None:
    found = Results()
    for text, whole in {"quotes-1024": 230.0, "commas-1024": 190.0, "plain-5120": 300.0}.items():
        found.add("growth", f"callm:{text}", {"cpu": whole, "half": 100.0})
    assert target("twice a hostile text").measure(found) == 2.3
    assert target("partial values of 5 MB").measure(found) == 3.0


def test_the_dearest_delta_is_known_when_every_size_was_measured() -> None:
    found = Results()
    for size, value in ((2, 4.0), (8, 5.0), (32, 4.5)):
        found.add(f"grow-{size}", "callm", {"cpu": value})
    dearest, flatness = target("partial value per delta, the dearest"), target("partial value per delta: 128 KB / 2 KB")
    assert dearest.measure(found) is None
    found.add("grow-128", "callm", {"cpu": 4.8})
    assert dearest.measure(found) == 5.0
    assert flatness.measure(found) == pytest.approx(1.2)
