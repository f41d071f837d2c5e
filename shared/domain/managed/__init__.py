"""Free managed certificates: prerequisites and DNS."""
