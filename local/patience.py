"""Set how many seconds a test or the demo waits for a real process at most."""

HANG = 540.0
"""Seconds after which a wait counts as a hang. pytest's own limit is a minute longer, so that a test names the cause.
"""
