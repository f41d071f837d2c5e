"""The domain of App Service Environments: records, waves of apps (stopped together) and roots."""
