// What the system topic of a vault may do in Certroll's storage: send events, and keep those that it cannot deliver.

param storageName string

@description('The object id of the system topic\'s identity.')
param principalId string

// Azure docs, "Azure built-in roles": Storage Queue Data Message Sender, Storage Blob Data Contributor.
var sender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
var contributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {
  name: storageName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource deadLetters 'containers' existing = { name: 'certroll-deadletter' }
  }

  resource queues 'queueServices' existing = {
    name: 'default'

    resource events 'queues' existing = { name: 'events' }
  }
}

resource sends 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account::queues::events
  name: guid(account::queues::events.id, principalId, sender)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', sender)
  }
}

resource keeps 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account::blobs::deadLetters
  name: guid(account::blobs::deadLetters.id, principalId, contributor)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', contributor)
  }
}
