"""Free managed certificates."""
