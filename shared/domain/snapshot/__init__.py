"""The snapshot (vault certificate, fleet and rollout) from which Certroll makes a plan, and facts about a snapshot."""
