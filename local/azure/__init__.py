"""The simulated Azure: the state of a world, and the services that answer requests from that state."""
