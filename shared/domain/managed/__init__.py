"""Free App Service managed certificates: their prerequisites, and the DNS records that matter to them."""
