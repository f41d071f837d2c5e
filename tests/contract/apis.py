"""The versions of the APIs that set-up, tests and removal name: the product's own, where the product names one."""

from shared.domain import api_versions

WEB_API = str(api_versions.MANAGED_CERTIFICATES)
ROOTS_API = str(api_versions.ENVIRONMENT_ROOTS)
VAULTS_API = str(api_versions.VAULTS)
ROLES_API = str(api_versions.ROLE_ASSIGNMENTS)
GROUPS_API = str(api_versions.RESOURCES)
DATA_API = "7.4"
"""The version of Key Vault's data plane that az CLI uses."""
