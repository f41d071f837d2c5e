"""The clients of Azure: only this package of shared/ imports an Azure SDK, and SDK objects never leave it."""
