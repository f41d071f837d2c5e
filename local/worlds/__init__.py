"""Build the simulated fleets that tests, the demo and `make local` start from."""
