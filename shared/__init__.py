"""What Certroll decides (domain, actions, guards, planner) and how it reaches Azure (clients)."""
