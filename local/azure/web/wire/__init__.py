"""The JSON form in which Microsoft.Web writes its resources."""
