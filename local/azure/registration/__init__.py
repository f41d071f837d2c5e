"""Microsoft.CertificateRegistration: purchased App Service certificates."""
