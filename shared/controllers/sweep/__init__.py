"""Inspect all resources in Certroll's scope once an hour, and put the work on the queues."""
