// The app's storage without keys: its queues, tables and leases, its package, and events that Event Grid gave up.

param name string
param location string
param tags object

@description('public: reachable from the internet. deny: only from rules and private endpoints. disabled: only from private endpoints.')
@allowed(['public', 'deny', 'disabled'])
param access string

@description('The object id of the app\'s identity.')
param principalId string

// Azure docs, "Azure built-in roles": Storage Blob Data Owner (the Functions host asks for it), Storage Queue Data
// Contributor, Storage Table Data Contributor.
var roles = [
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
]

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_ZRS' }
  properties: {
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    publicNetworkAccess: access == 'disabled' ? 'Disabled' : 'Enabled'
    supportsHttpsTrafficOnly: true
    // Event Grid delivers as a trusted service of Azure (Azure docs, "Deliver events using managed identity").
    networkAcls: { bypass: 'AzureServices', defaultAction: access == 'public' ? 'Allow' : 'Deny' }
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource package 'containers' = { name: 'app-package' }
    resource deadLetters 'containers' = { name: 'certroll-deadletter' }
  }

  resource queues 'queueServices' = {
    name: 'default'

    resource events 'queues' = { name: 'events' }
    resource eventsPoison 'queues' = { name: 'events-poison' }
  }
}

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in roles: {
    scope: account
    name: guid(account.id, principalId, role)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

output id string = account.id
output blobEndpoint string = account.properties.primaryEndpoints.blob
output queueEndpoint string = account.properties.primaryEndpoints.queue
output tableEndpoint string = account.properties.primaryEndpoints.table
