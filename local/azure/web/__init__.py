"""Microsoft.Web: App Service's plans, sites, certificates and bindings."""
