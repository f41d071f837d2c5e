"""The principals of Microsoft's own services that read a customer's vaults."""

APP_SERVICE = "abfa0a7c-a6b6-4736-8310-5855508787cd"
"""The application id of App Service in the public cloud (Azure docs, configure-ssl-certificate)."""
REGISTRATION = "f3c21649-0979-4721-ac85-b0216b2cf413"
"""The application id of the seller of App Service certificates (docs, configure-ssl-app-service-certificate)."""
PROVIDERS = (APP_SERVICE, REGISTRATION)
"""The principals whose access a vault's roles, access policies and firewall decide.

Every other principal may do everything in a vault, unless a test denies an operation.
"""
EVERYONE = "*"
