"""Azure on one machine: development only, never deployed."""
