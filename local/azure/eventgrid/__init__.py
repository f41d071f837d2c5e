"""The simulated Event Grid: the events of Key Vault, and the delivery of these events to webhooks."""
