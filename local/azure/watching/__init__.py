"""Watches over a whole world for tests and the demo: they note what goes wrong, and change nothing."""
