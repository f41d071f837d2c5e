"""Purchased App Service certificates: their orders, and the actions that Certroll takes on an order."""
