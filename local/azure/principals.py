"""The principals of Microsoft's own services that read a customer's vaults."""

APP_SERVICE = "abfa0a7c-a6b6-4736-8310-5855508787cd"
"""Application id of App Service in the public cloud (Azure docs, configure-ssl-certificate)."""
REGISTRATION = "f3c21649-0979-4721-ac85-b0216b2cf413"
"""Application id of purchased App Service certificates (Azure docs, configure-ssl-app-service-certificate)."""
PROVIDERS = (APP_SERVICE, REGISTRATION)
"""Whose access a vault's roles, policies and firewall decide; everybody else may do what no denial forbids."""
EVERYONE = "*"
