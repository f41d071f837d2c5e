// The second of two installations in one subscription.
using '../main.bicep'

param mode = 'apply'
param vaults = [
  { name: 'kv-two', resourceGroup: 'vaults', access: 'rbac', allSecrets: true }
]
param appServiceObjectId = '11111111-1111-1111-1111-111111111111'
param name = 'certroll-b'
