"""From Azure to a fleet: the only place that reads in parallel. Read fleet.py first."""
