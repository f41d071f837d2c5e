"""The public DNS records of a simulated Azure, and a DNS server that answers from them."""
