"""How long anything real is waited for before it is called hung."""

HANG = 540.0
"""Seconds. No machine is that slow, however busy; a minute less than pytest's own limit, so that a test says why."""
