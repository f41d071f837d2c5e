"""Each folder of controllers handles one queue, one timer or the incoming requests."""
