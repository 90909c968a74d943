"""Measure how many fields the small local model reads right. `python bench/quality/measure.py` prints a line for each message.

`--compare` asks with other wordings, too; `--write` writes RESULTS.md. What is measured is the demo's own function.
"""

from __future__ import annotations

import importlib.util
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import callm

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples"
FIELDS = ("day", "time", "guests", "name")

INSTRUCTION = "Extract the day, the time, the number of guests and the name of this reservation as JSON."
WORDINGS = {
    "the message first": "{{ message }}\n\n" + INSTRUCTION,
    "the message labelled": INSTRUCTION + "\n\nMessage: {{ message }}",
    "name of the customer": (
        "Extract the day, the time, the number of guests and the name of the customer as JSON.\n\n{{ message }}"
    ),
    "short": "Extract the reservation as JSON.\n\n{{ message }}",
    "the type described": "Extract the reservation.\n\n{{ ctx.output_format }}\n\n{{ message }}",
}


def load_demo() -> Any:
    """Return the module of the demo."""
    spec = importlib.util.spec_from_file_location("demo", EXAMPLES / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    sys.modules["demo"] = demo  # pydantic looks there for the names in annotations
    spec.loader.exec_module(demo)
    return demo


def load_expected() -> dict[str, dict[str, Any]]:
    """Return what is right for each message."""
    return tomllib.loads((HERE / "expected.toml").read_text("utf-8"))


def wrong_fields(extract: Callable[[str], Any], number: str, expected: dict[str, Any]) -> dict[str, Any]:
    """Ask for one message and return the fields that are wrong, with what was answered; all of them when it was no value."""
    message = (EXAMPLES / "reservations" / f"{number}.txt").read_text("utf-8").strip()
    try:
        value = extract(message)
    except callm.OutputError as error:
        return dict.fromkeys(FIELDS, type(error).__name__)
    answers = {field: getattr(value, field) for field in FIELDS}
    return {field: answer for field, answer in answers.items() if answer != expected[field]}


def measure(extract: Callable[[str], Any], tell: Callable[[str], object]) -> list[str]:
    """Ask for every message, `tell` a table's row for each and return the rows of the totals."""
    expected = load_expected()
    right = {False: dict.fromkeys(FIELDS, 0), True: dict.fromkeys(FIELDS, 0)}
    started = time.perf_counter()
    for number, values in expected.items():
        held_out = values.get("held_out", False)
        wrong = wrong_fields(extract, number, values)
        for field in FIELDS:
            right[held_out][field] += field not in wrong
        tell(
            f"| {number} | {len(FIELDS) - len(wrong)} | {', '.join(f'{name} {value!r}' for name, value in wrong.items())} |"
        )
    seconds = (time.perf_counter() - started) / len(expected)
    held = sum(values.get("held_out", False) for values in expected.values())
    rows = [_row("wording chosen on", len(expected) - held, right[False]), _row("held out", held, right[True])]
    both = {field: right[False][field] + right[True][field] for field in FIELDS}
    return [*rows, _row("all", len(expected), both), f"\n{seconds:.2f} s a message."]


def _row(name: str, messages: int, right: dict[str, int]) -> str:
    fields = " | ".join(str(right[field]) for field in FIELDS)
    return f"| {name} | {messages} | {fields} | {sum(right.values())} of {messages * len(FIELDS)} |"


def main(options: set[str]) -> None:
    """Measure and print; see the head of this file for the options."""
    demo = load_demo()
    lines = ["| message | fields right | wrong |", "|---|---|---|"]
    print(*lines, sep="\n")

    def tell(row: str) -> None:
        lines.append(row)
        print(row, flush=True)

    head = [f"| messages | count | {' | '.join(FIELDS)} | all fields |", "|---" * (len(FIELDS) + 3) + "|"]
    totals = [*head, *measure(demo.extract, tell)]
    print("", *totals, sep="\n")
    if "--write" in options:
        title = "# How well the small local model reads\n\n`python bench/quality/measure.py --write` writes this file."
        (HERE / "RESULTS.md").write_text("\n".join([title, "", *totals, "", *lines, ""]), "utf-8")
    if "--compare" in options:
        for name, prompt in WORDINGS.items():
            print(f"\n{name}:", *measure(_worded(demo, prompt), lambda _: None), sep="\n", flush=True)


def _worded(demo: Any, prompt: str) -> Callable[[str], Any]:
    def extract(message: str) -> Any: ...

    extract.__annotations__["return"] = demo.Reservation
    settings = callm.Settings(temperature=0, max_tokens=100)
    return callm.function("local/smollm2", prompt=prompt, settings=settings)(extract)


if __name__ == "__main__":
    main(set(sys.argv[1:]))
