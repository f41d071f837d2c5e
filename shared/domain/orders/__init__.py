"""The orders of purchased App Service certificates, and the actions that Certroll takes on an order."""
