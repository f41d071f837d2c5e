"""The routes of Microsoft.Web, with one module for each kind of resource."""
