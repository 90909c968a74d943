"""A typed extraction by a small model that runs on this machine: no account, no key. `make demo` runs it.

The messages lie in `reservations/`. `python examples/demo.py 15` reads another one, `python examples/demo.py mail.txt` your own.
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

import callm

MESSAGES = Path(__file__).with_name("reservations")
SCORE = "133 of 144 fields right over 36 messages (bench/quality/RESULTS.md)"


class Reservation(BaseModel):
    """What a restaurant wants to know of a message."""

    day: Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    time: str
    guests: int
    name: str


@callm.function("local/smollm2", settings=callm.Settings(temperature=0, max_tokens=100))
def extract(message: str) -> Reservation:
    """Extract the day, the time, the number of guests and the name of this reservation as JSON.

    {{ message }}
    """
    ...


def main(choice: str = "01") -> None:
    """Extract the reservation of one message, and show it while the model writes it."""
    numbered = MESSAGES / f"{choice:0>2}.txt"
    message = (numbered if numbered.exists() else Path(choice)).read_text("utf-8").strip()
    print(f"{message}\n\nLoading SmolLM2-135M on this machine and asking it for a Reservation ...\n", flush=True)
    with extract.stream(message) as stream:
        show(stream)
    print(f"\n{stream.result!r}\n")
    response = stream.response
    print(f"{response.usage.input_tokens} tokens in, {response.usage.output_tokens} out")
    print(
        f"first token after {response.time_to_first_content:.2f} s, the last after {response.duration:.2f} s, loading included"
    )
    print(f"A model of 135 million parameters makes mistakes: {SCORE}.")


def show(stream: callm.ValueStream[Reservation]) -> None:
    """Show the value as it grows: in place on a terminal, else a line for each change."""
    if not sys.stdout.isatty():
        for line, _ in groupby(map(repr, stream)):
            print(line, flush=True)
        return
    from rich.live import Live  # noqa: PLC0415  # only where there is a terminal
    from rich.text import Text  # noqa: PLC0415

    with Live(refresh_per_second=30) as live:
        for partial in stream:
            fields = {name: getattr(partial, name) for name in Reservation.model_fields}
            live.update(
                Text("\n".join(f"  {name:8}{'' if value is None else value}" for name, value in fields.items()))
            )


if __name__ == "__main__":
    try:
        main(*sys.argv[1:2])
    except (callm.CallmError, OSError) as error:
        sys.exit(f"demo: {error}")
