"""Turn a snapshot of the fleet into a plan.

The planning is pure except for `perform`, which reaches Azure through the ports.
"""
