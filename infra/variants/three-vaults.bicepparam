// Three vaults in two subscriptions: roles on one secret, access policies, and a topic that somebody else made.
using '../main.bicep'

param mode = 'apply'
param vaults = [
  { name: 'kv-one', resourceGroup: 'vaults', access: 'rbac', secretNames: ['www', 'api'] }
  { name: 'kv-two', resourceGroup: 'vaults', access: 'policies', allSecrets: true }
  {
    name: 'kv-three'
    resourceGroup: 'shop'
    subscriptionId: '00000000-0000-0000-0000-00000000000b'
    location: 'northeurope'
    access: 'rbac'
    appServiceReads: true
    existingTopic: 'kv-three-events'
  }
]
param appServiceObjectId = '11111111-1111-1111-1111-111111111111'
param subscriptions = ['00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-00000000000b']
param roots = 'builtin'
param flexSites = 'builtin'
