// Without rights for roots of App Service Environments.
using '../main.bicep'

param mode = 'apply'
param vaults = [
  { name: 'kv-one', resourceGroup: 'vaults', access: 'rbac', allSecrets: true }
]
param appServiceObjectId = '11111111-1111-1111-1111-111111111111'
param flexSites = 'actions'
param references = 'actions'
