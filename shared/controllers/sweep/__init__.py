"""Inspect everything in scope once an hour, and put the work on the queues."""
