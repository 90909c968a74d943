"""The type of `bench/order.py` while it grows: what BAML generates for partial values, every field optional but lists."""

from __future__ import annotations

from pydantic import BaseModel


class Line(BaseModel):
    """A line, as far as it has come."""

    sku: str | None = None
    title: str | None = None
    quantity: int | None = None
    price: float | None = None
    in_stock: bool | None = None
    tags: list[str] = []


class Address(BaseModel):
    """An address, as far as it has come."""

    street: str | None = None
    city: str | None = None
    postcode: str | None = None
    country: str | None = None


class Order(BaseModel):
    """An order, as far as it has come."""

    id: str | None = None
    customer: str | None = None
    status: str | None = None
    note: str | None = None
    total: float | None = None
    address: Address | None = None
    lines: list[Line] = []
