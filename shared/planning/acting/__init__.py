"""Code that several actions share."""
