"""Serve the bound certificates at TLS front ends, and check them as a visitor."""
