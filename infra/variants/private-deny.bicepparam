// A private network whose policy writes the DNS records, with a firewall instead of a disabled public address of the storage.
using '../main.bicep'

param mode = 'apply'
param vaults = [
  { name: 'kv-one', resourceGroup: 'vaults', access: 'rbac', allSecrets: true }
]
param appServiceObjectId = '11111111-1111-1111-1111-111111111111'
param network = 'private'
param appSubnetId = '/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/network/providers/Microsoft.Network/virtualNetworks/hub/subnets/app'
param endpointSubnetId = '/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/network/providers/Microsoft.Network/virtualNetworks/hub/subnets/endpoints'
param storageFirewall = 'deny'
