"""Versions, lineages and what they must be like."""
