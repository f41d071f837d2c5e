"""Queue `sites`: one site or slot."""
