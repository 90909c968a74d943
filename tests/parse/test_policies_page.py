"""The table of repairs in the guide is the one in the code."""

import re
from pathlib import Path

from callm.parse.found import COSTS, SILENT
from callm.parse.policies import LOSSY

PAGE = (Path(__file__).parents[2] / "docs" / "parsing.md").read_text("utf-8")


def test_the_guide_lists_every_repair_with_its_cost_and_what_faithful_does():
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\d+) \| (\w[\w ]*) \|$", PAGE, re.MULTILINE)
    assert {kind: int(cost) for kind, cost, _ in rows} == dict(COSTS)
    words = {kind: "refused" if kind in LOSSY else "not listed" if kind in SILENT else "allowed" for kind in COSTS}
    assert {kind: word for kind, _, word in rows} == words
