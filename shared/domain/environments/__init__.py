"""App Service Environments: records, waves and roots."""
