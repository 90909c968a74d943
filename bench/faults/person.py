"""The type that the typed calls ask for, as a pydantic model and in BAML. Every whole answer is the JSON text of one."""

from __future__ import annotations

from pydantic import BaseModel


class Person(BaseModel):
    """A person."""

    name: str
    city: str
    age: int


BAML = """
class Person {
  name string
  city string
  age int
}
"""
