"""Decisions around a call. Pure: time and randomness are arguments, and whoever asks does the waiting."""
