"""Inspect the orders of purchased App Service certificates."""
