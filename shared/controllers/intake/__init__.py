"""What each trigger asks for: from a message or a request to a controller."""
