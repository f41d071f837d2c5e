"""Triggers: parse, one call, return. Nothing about certificates is decided here."""
