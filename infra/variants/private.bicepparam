// Private endpoints in existing subnets, with DNS zones and a private link scope of another subscription.
using '../main.bicep'

param mode = 'apply'
param vaults = [
  { name: 'kv-one', resourceGroup: 'vaults', access: 'rbac', allSecrets: true }
]
param appServiceObjectId = '11111111-1111-1111-1111-111111111111'
param network = 'private'
param appSubnetId = '/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/network/providers/Microsoft.Network/virtualNetworks/hub/subnets/app'
param endpointSubnetId = '/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/network/providers/Microsoft.Network/virtualNetworks/hub/subnets/endpoints'
param zoneIds = {
  blob: '/subscriptions/00000000-0000-0000-0000-00000000000b/resourceGroups/dns/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net'
  queue: '/subscriptions/00000000-0000-0000-0000-00000000000b/resourceGroups/dns/providers/Microsoft.Network/privateDnsZones/privatelink.queue.core.windows.net'
  table: '/subscriptions/00000000-0000-0000-0000-00000000000b/resourceGroups/dns/providers/Microsoft.Network/privateDnsZones/privatelink.table.core.windows.net'
  sites: '/subscriptions/00000000-0000-0000-0000-00000000000b/resourceGroups/dns/providers/Microsoft.Network/privateDnsZones/privatelink.azurewebsites.net'
  vault: '/subscriptions/00000000-0000-0000-0000-00000000000b/resourceGroups/dns/providers/Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net'
}
param vaultEndpoints = true
param monitorPrivateLinkScopeId = '/subscriptions/00000000-0000-0000-0000-00000000000b/resourceGroups/monitor/providers/microsoft.insights/privateLinkScopes/company'
