"""The type that the typed cases ask for, as a pydantic model and in BAML. Its value is `payload.order()`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Line(BaseModel):
    """One line of an order."""

    sku: str
    title: str
    quantity: int
    price: float
    in_stock: bool
    tags: list[str]


class Address(BaseModel):
    """Where the order goes."""

    street: str
    city: str
    postcode: str
    country: str


class Order(BaseModel):
    """An order in a shop."""

    id: str
    customer: str
    status: Literal["open", "paid", "sent"]
    note: str | None
    total: float
    address: Address
    lines: list[Line]


BAML = """
class Line {
  sku string
  title string
  quantity int
  price float
  in_stock bool
  tags string[]
}
class Address {
  street string
  city string
  postcode string
  country string
}
class Order {
  id string
  customer string
  status "open" | "paid" | "sent"
  note string?
  total float
  address Address
  lines Line[]
}
"""
