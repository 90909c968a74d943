from bench.environments import count_distributions

TREE = """\
callm v0.1.0
├── aiohttp v3.14.5
│   ├── attrs v26.1.0
│   └── yarl[fast] v1.25.1
├── pydantic v2.14.3
│   └── attrs v26.1.0
├── uvloop v0.23.0 (extra: fast)
└── rich v15.0.0 (extra: rich)
    ├── markdown-it-py v4.3.0
    │   └── mdurl v0.1.2
    └── pygments v2.21.0
"""


def test_distributions_are_counted_once_and_without_those_of_extras() -> None:
    assert count_distributions(TREE) == len({"callm", "aiohttp", "attrs", "yarl", "pydantic"})


def test_what_comes_behind_an_extra_is_counted_again() -> None:
    assert count_distributions("a v1\n├── b v1 (extra: x)\n│   └── c v1\n└── d v1\n") == 2
