"""Set the limit of waits for a real process."""

HANG = 540.0
"""Seconds after which a wait counts as a hang. pytest's own limit is a minute longer, so that a test names the cause.
"""
