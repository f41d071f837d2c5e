"""What runs on the sites: apps, their processes, and the certificates that a process holds."""
