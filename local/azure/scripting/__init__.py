"""The means by which tests control the simulated Azure (clock, knobs, faults, roles) and observe it (journal)."""
