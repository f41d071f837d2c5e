"""Turn each message, event and HTTP request into a call of a controller."""
