"""The simulated Microsoft.Web, with App Service plans, sites, certificates and host name bindings."""
