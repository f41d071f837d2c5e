// The system topic of one vault. Azure allows one for each vault, in the vault's subscription and region.

param name string
param location string
param tags object
param vaultId string

@description('True if the topic is there already. Its identity must be on: Certroll changes no topic of somebody else.')
param exists bool

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (!exists) {
  name: name
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: { source: vaultId, topicType: 'Microsoft.KeyVault.vaults' }
}

resource existingTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = if (exists) {
  name: name
}

output id string = exists ? existingTopic.id : topic.id
output principalId string = exists ? existingTopic!.identity.principalId : topic!.identity.principalId
