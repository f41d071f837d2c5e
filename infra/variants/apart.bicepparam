// No right outside the own group: the outputs hold the commands of the owners. One vault's topic has an identity already.
using '../main.bicep'

param mode = 'apply'
param vaults = [
  { name: 'kv-one', resourceGroup: 'vaults', access: 'rbac', allSecrets: true }
  {
    name: 'kv-two'
    resourceGroup: 'vaults'
    access: 'rbac'
    topicPrincipalId: '22222222-2222-2222-2222-222222222222'
  }
]
param appServiceObjectId = '11111111-1111-1111-1111-111111111111'
param roots = 'actions'
param flexSites = 'actions'
param references = 'actions'
param grants = 'apart'
