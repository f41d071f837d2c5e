"""The resources of App Service as Certroll read them."""
