"""The clients of the Function App's storage account: tables, blob leases and queues."""
