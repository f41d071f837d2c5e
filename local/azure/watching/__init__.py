"""Observers of the simulated Azure for tests and the demo, which record failures and change nothing."""
