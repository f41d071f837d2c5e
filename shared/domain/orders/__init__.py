"""Purchased App Service certificates."""
