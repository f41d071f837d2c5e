"""The compliance sweep: rules that judge the fleet by facts, and the report of what they find."""
