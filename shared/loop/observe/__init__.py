"""Read Azure in parallel and return a fleet. Read fleet.py first."""
