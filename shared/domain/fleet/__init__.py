"""App Service as Certroll observed it."""
