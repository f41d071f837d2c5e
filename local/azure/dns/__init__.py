"""The public DNS records of a world, and a DNS server that answers from them."""
