"""Compliance rules, each over worlds in good order with one difference."""
