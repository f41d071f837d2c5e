"""Queue `environments` and timer `starts`: one App Service Environment."""
