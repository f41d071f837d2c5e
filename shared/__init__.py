"""This package decides what Certroll does (domain, actions, guards, planner) and reaches Azure (clients)."""
