"""Queue `certificates`: one vault certificate."""
