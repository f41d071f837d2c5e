"""The resources of App Service that Certroll read: plans, sites, bindings, certificates and app settings."""
