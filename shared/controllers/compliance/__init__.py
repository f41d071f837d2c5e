"""The compliance sweep: what it reads, and the report that it writes."""
