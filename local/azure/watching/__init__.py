"""Watches over the simulated Azure for tests and the demo: a watch records failures, and changes nothing."""
