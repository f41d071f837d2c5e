"""The clients of Key Vault, and the parsers of certificates."""
