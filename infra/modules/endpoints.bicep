// Private endpoints in an existing subnet. Without the id of a DNS zone, a policy of the company writes the records.

param location string
param tags object
param subnetId string

@description('What the endpoints lead to.')
param targets {
  name: string
  id: string
  @description('The part of the resource: blob, queue, table, sites or vault.')
  group: string
  zoneId: string
}[]

resource endpoints 'Microsoft.Network/privateEndpoints@2025-01-01' = [
  for target in targets: {
    name: target.name
    location: location
    tags: tags
    properties: {
      subnet: { id: subnetId }
      privateLinkServiceConnections: [
        { name: target.group, properties: { groupIds: [target.group], privateLinkServiceId: target.id } }
      ]
    }
  }
]

resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-01-01' = [
  for (target, index) in targets: if (!empty(target.zoneId)) {
    parent: endpoints[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [{ name: target.group, properties: { privateDnsZoneId: target.zoneId } }]
    }
  }
]
