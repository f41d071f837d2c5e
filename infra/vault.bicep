// Let Certroll read one vault and hear of its new versions. The vault's owner runs this template in the vault's resource
// group if infra/main.bicep grants nothing there. The outputs of infra/main.bicep hold the whole command.
// If grants is apart, run it once without events. Certroll's owner then gives the output topicPrincipalId to main.bicep
// as topicPrincipalId of the vault, and deploys main.bicep again. Then run it once more, with events=true.

@description('The name of the vault.')
param vaultName string

@description('The region of the vault.')
param location string

@description('Tags of the system topic.')
param tags object = {}

@description('The object id of the app\'s identity: output principalId of infra/main.bicep.')
param principalId string

@description('The object id of App Service in the tenant. Empty: App Service has its right already.')
param appServiceObjectId string = ''

@description('rbac: the vault uses roles. policies: the vault uses access policies, and a role would grant nothing.')
@allowed(['rbac', 'policies'])
param access string = 'rbac'

@description('True if Certroll may read the value of every secret of the vault.')
param allSecrets bool = false

@description('The secrets whose values Certroll may read, on a vault with roles.')
param secretNames string[] = []

@description('The id of Certroll\'s storage account: output storageId of infra/main.bicep.')
param storageId string

@description('The name of the vault\'s system topic, which Event Grid allows once for each vault.')
param topicName string

@description('True if the system topic is there already. Its identity must be on.')
param topicExists bool = false

@description('here: also give the topic its roles in Certroll\'s storage. apart: infra/main.bicep does.')
@allowed(['here', 'apart'])
param grants string = 'apart'

@description('True if the topic sends its events to Certroll. It needs its roles in Certroll\'s storage.')
param events bool = false

var suffix = uniqueString(vaultName, storageId)
var storage = split(storageId, '/')

module rights 'modules/vault.bicep' = {
  name: 'certroll-rights-${suffix}'
  params: {
    vaultName: vaultName
    principalId: principalId
    appServiceObjectId: appServiceObjectId
    access: access
    allSecrets: allSecrets
    secretNames: secretNames
  }
}

module topic 'modules/topic.bicep' = {
  name: 'certroll-topic-${suffix}'
  params: {
    name: topicName
    location: location
    tags: tags
    vaultId: resourceId('Microsoft.KeyVault/vaults', vaultName)
    exists: topicExists
  }
}

module topicRoles 'modules/topic-roles.bicep' = if (grants == 'here') {
  name: 'certroll-topic-roles-${suffix}'
  scope: resourceGroup(storage[2], storage[4])
  params: { storageName: last(storage), principalId: topic.outputs.principalId }
}

module eventSubscription 'modules/events.bicep' = if (events) {
  name: 'certroll-events-${suffix}'
  dependsOn: [topic, topicRoles]
  params: { topicName: topicName, name: 'certroll-${uniqueString(storageId)}', storageId: storageId }
}

output topicId string = topic.outputs.id
output topicPrincipalId string = topic.outputs.principalId
