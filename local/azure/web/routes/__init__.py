"""The routes of Microsoft.Web, one module per kind of resource."""
