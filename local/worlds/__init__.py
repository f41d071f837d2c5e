"""Build the worlds that tests, the demo and `make local` start from."""
