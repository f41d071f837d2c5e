"""Public DNS of a world, and a real server for it."""
