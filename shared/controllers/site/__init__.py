"""Handle the queue `sites`: each message names one site or slot."""
