"""The simulated Microsoft.Web: App Service plans, sites, certificates and host name bindings."""
