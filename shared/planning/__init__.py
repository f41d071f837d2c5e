"""From a snapshot to a plan. Pure: `perform` alone reaches out, and through ports only."""
