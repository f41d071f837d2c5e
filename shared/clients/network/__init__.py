"""The probes see an app as a client sees the app, through TLS handshakes, HTTP answers and DNS records."""
