"""TLS, HTTP and DNS as clients see them."""
