"""The sweep: the timer that inspects everything."""
