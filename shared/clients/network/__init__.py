"""The probes of what a client sees: TLS handshakes, HTTP answers and DNS records."""
