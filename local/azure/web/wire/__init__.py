"""How Microsoft.Web writes its resources as JSON."""
