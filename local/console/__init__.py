"""The commands with which a person uses a local Azure that runs in another terminal."""
