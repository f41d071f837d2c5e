"""App Service Environments: their records, their root certificates, and the apps that Certroll stops together."""
