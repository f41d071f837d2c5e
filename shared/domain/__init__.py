"""Values, names and errors. Standard library only: no clock, randomness, environment, logging or SDK."""
