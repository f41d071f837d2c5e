"""The limit for every wait for a real process."""

HANG = 540.0
"""Seconds after which a wait is a hang. It is a minute less than pytest's own limit, so that a test names the cause."""
