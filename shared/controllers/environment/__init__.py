"""Handle the queue `environments` and the timer of pending starts, for one App Service Environment at a time."""
