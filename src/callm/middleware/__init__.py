"""Behaviour around a call: each file is one `Model` that wraps another."""
