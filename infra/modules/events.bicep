// Send the events of a vault's system topic to Certroll's queue. The topic needs its roles in the storage before.

@description('The name of the system topic.')
param topicName string

@description('The name of the event subscription.')
param name string

@description('The id of Certroll\'s storage account.')
param storageId string

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

// Without the topic's identity, Event Grid fetches the keys of the storage account, which has none
// (Azure docs, "Authenticate event delivery to event handlers").
resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: name
  properties: {
    deadLetterWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: { blobContainerName: 'certroll-deadletter', resourceId: storageId }
      }
    }
    deliveryWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      destination: {
        endpointType: 'StorageQueue'
        properties: { queueMessageTimeToLiveInSeconds: 604800, queueName: 'events', resourceId: storageId }
      }
    }
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    filter: {
      includedEventTypes: [
        'Microsoft.KeyVault.CertificateExpired'
        'Microsoft.KeyVault.CertificateNearExpiry'
        'Microsoft.KeyVault.CertificateNewVersionCreated'
        'Microsoft.KeyVault.SecretNewVersionCreated'
      ]
    }
    retryPolicy: { eventTimeToLiveInMinutes: 1440, maxDeliveryAttempts: 30 }
  }
}
