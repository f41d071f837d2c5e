"""The resources of App Service as Certroll observed them."""
