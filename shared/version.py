"""The version of Certroll."""

VERSION = "0.1.0"
"""The version of Certroll, as in pyproject.toml, which Azure does not get."""
