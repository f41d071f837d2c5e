"""Everything that a plan is made from, and what follows from it."""
