// Without rights for certificates of Flex Consumption apps.
using '../main.bicep'

param mode = 'apply'
param vaults = [
  { name: 'kv-one', resourceGroup: 'vaults', access: 'rbac', allSecrets: true }
]
param appServiceObjectId = '11111111-1111-1111-1111-111111111111'
param roots = 'actions'
param references = 'actions'
