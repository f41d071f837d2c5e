"""Event Grid: the events of Key Vault, and their delivery to webhooks."""
