"""Turn a snapshot into a plan. All of it is pure except `perform`, which reaches Azure through the ports."""
