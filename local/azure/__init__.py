"""The simulated Azure: its whole state, and the services that answer requests from this state."""
