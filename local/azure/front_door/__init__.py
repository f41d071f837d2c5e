"""The front door of ARM (management.azure.com): the parsing of requests, the checks, and ARM's own resources."""
