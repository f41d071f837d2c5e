"""Entra: tokens, and the services that hand them out."""
