"""The templates that install Certroll in Azure, and the check of the templates."""
