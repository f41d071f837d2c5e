"""Watches over a world for tests and the demo: a watch records failures, and changes nothing."""
