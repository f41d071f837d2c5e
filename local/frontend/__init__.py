"""TLS front ends that serve the bound certificates, and a visitor who checks them."""
