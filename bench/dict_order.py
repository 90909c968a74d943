"""The type of `bench/order.py` as dictionaries without required keys: pydantic validates only such while they grow."""

from __future__ import annotations

import sys
from typing import Literal

if sys.version_info >= (3, 12):
    from typing import TypedDict
else:
    from typing_extensions import TypedDict  # pydantic reads no other before 3.12


class Line(TypedDict, total=False):
    """One line of an order."""

    sku: str
    title: str
    quantity: int
    price: float
    in_stock: bool
    tags: list[str]


class Address(TypedDict, total=False):
    """Where the order goes."""

    street: str
    city: str
    postcode: str
    country: str


class Order(TypedDict, total=False):
    """An order in a shop."""

    id: str
    customer: str
    status: Literal["open", "paid", "sent"]
    note: str | None
    total: float
    address: Address
    lines: list[Line]
