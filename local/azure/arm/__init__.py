"""ARM: the control plane of Microsoft.Web, of resources, and of Key Vault."""
