"""What a test turns: the clock, knobs, faults and hidden scopes; and what it reads: journal and changes."""
