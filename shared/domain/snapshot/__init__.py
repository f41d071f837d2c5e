"""The snapshot from which Certroll makes a plan, and the facts that follow from a snapshot."""
