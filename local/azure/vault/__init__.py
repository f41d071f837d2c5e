"""The simulated Key Vault: vaults, certificates, secrets, and access to them."""
