"""Free App Service managed certificates: their prerequisites, and the DNS records that Azure checks."""
