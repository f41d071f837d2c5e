"""Handle the queue `certificates`: each message names one vault certificate."""
