"""Request, bind and watch free managed certificates of App Service."""
