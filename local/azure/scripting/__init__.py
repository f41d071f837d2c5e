"""The means by which a test controls a world (clock, knobs, faults, roles) and observes it (journal, changes)."""
