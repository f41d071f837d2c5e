"""The apps that run on sites: their processes, and the certificates that each process has loaded."""
