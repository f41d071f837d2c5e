"""The simulated Azure: a world of state, and the services that answer from it."""
