"""Read Azure's resources in parallel and return them as a fleet. Read fleet.py first."""
