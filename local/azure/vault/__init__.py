"""Key Vault: its state, its data plane, and the authority that issues for it."""
