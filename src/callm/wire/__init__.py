"""Bytes to events and back, for every provider's format. Pure: no I/O here."""
