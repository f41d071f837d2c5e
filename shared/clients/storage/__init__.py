"""The storage account of the Function App."""
