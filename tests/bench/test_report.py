from bench.report import Setting, number, render, table
from bench.results import Results

SETTING = Setting(
    machine=("a processor", "Python 3.11"),
    versions={"callm": {"callm": "0.1.0"}},
    missing={"litellm": "no wheel"},
    when="2026-01-02",
)


def report(results: Results) -> str:
    return render(results, SETTING)


def measured() -> Results:
    results = Results()
    for peer, value in {"aiohttp": 80.0, "callm": 120.0, "openai": 600.0}.items():
        results.add("call-64", peer, {"cpu": value, "wall": value, "memory": 40e6})
    return results


def test_a_table_aligns_numbers_to_the_right() -> None:
    assert table(("peer", "us"), [("callm", "1")]) == "| peer | us |\n|:--|--:|\n| callm | 1 |\n"


def test_numbers_have_three_digits_that_matter() -> None:
    assert [number(value) for value in (1234.5, 123.4, 12.34, 1.234, 0.0, None)] == [
        "1,234",
        "123",
        "12.3",
        "1.23",
        "0.00",
        "-",
    ]


def test_a_row_has_the_figure_and_its_ratios_to_the_floor_and_to_callm() -> None:
    assert "| openai | 600 | 7.50 | 5.00 | 0% | 600 | 40.0 |" in report(measured())


def test_a_target_says_whether_it_was_reached() -> None:
    text = report(measured())
    assert "| call, 64 at a time: callm / bare aiohttp | at most 1.7 x | 1.50 x | reached |" in text
    assert "| call, 64 at a time: openai / callm | at least 8 x | 5.00 x | **not reached** |" in text
    assert "| import callm | at most 50 ms | - ms | not measured |" in text


def test_a_case_that_was_not_run_has_no_table() -> None:
    assert "(`stream-200`)" not in report(measured())


def test_a_peer_that_failed_is_listed_with_its_reason() -> None:
    results = measured()
    results.fail("call-64", "baml-py", "it would not start")
    assert "- baml-py: it would not start" in report(results)


def test_versions_and_what_does_not_install_are_named() -> None:
    text = report(measured())
    assert "| callm | callm 0.1.0 |" in text
    assert "| litellm | does not install: no wheel |" in text
    assert "- a processor\n- Python 3.11\n" in text


def test_partial_values_say_at_how_many_deltas_they_were_taken() -> None:
    results = Results()
    for peer, value, units in (("callm", 5.0, 515), ("jiter", 10.0, 7)):
        results.add("grow-2", peer, {"cpu": value, "wall": value, "memory": 40e6, "units": units})
        results.pieces.setdefault("grow-2", {})[peer] = units
    text = report(results)
    assert "| callm | 5.00 | 0.50 | 1.00 | 0% | 5.00 | 40.0 | all 515 | 515 |" in text
    assert "| jiter | 10.0 | 1.00 | 2.00 | 0% | 10.0 | 40.0 | 7 of 515 | 7 |" in text


def test_growth_has_a_row_for_each_text() -> None:
    results = Results()
    results.add("growth", "callm:quotes-1024", {"cpu": 600e3, "half": 300e3})
    assert "| an unclosed string of quotes | 1024 | 300 | 600 | 2.00 |" in report(results)


def test_a_stack_shows_what_it_costs_over_the_bare_endpoint() -> None:
    results = measured()
    results.add("resilience", "callm:memory-call-full", {"cpu": 80.0, "wall": 90.0, "memory": 1e6, "over": 55.0})
    results.add("resilience", "callm:limiter", {"cpu": 2.5, "wall": 2.5, "memory": 1e6})
    text = report(results)
    assert "| a call, in memory: full | 80.0 | 55.0 | 0% | 90.0 |" in text
    assert "| a turn of the rate limiter, nobody waits | 2.50 | - | 0% | 2.50 |" in text
    assert "| full stack over bare endpoint, call in memory | at most 60 us | 55.0 us | reached |" in text
