"""The clients of Azure: only this package imports an Azure SDK, and it returns values of the domain."""
