"""Adapters to Azure: the only place that imports an Azure SDK. SDK models never leave it."""
