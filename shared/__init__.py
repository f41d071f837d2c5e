"""This package decides what Certroll does (domain, actions, guards, planner) and reaches Azure (clients)."""

VERSION = "0.1.0"
"""The version of Certroll, which pyproject.toml reads from here, because the deployed app has no pyproject.toml."""
