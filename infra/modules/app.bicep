// The Function App on Flex Consumption.

param name string
param planName string
param location string
param tags object
param identityId string

@description('The app settings.')
param settings object

@description('The address of the container that holds the app\'s package.')
param packageContainer string

@description('3.12 or 3.13.')
param pythonVersion string

@description('The memory of an instance in MB: 512, 2048 or 4096.')
param memory int

@description('How many instances run at most.')
param maximumInstances int

@description('The subnet of the app\'s outgoing requests. Empty: none.')
param subnetId string

@description('True if the app can be reached through its private endpoint only.')
param private bool

@description('The address of a release\'s zip, which Azure fetches. Empty: the template deploys no code.')
param packageUri string

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'certroll' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    serverFarmId: plan.id
    endToEndEncryptionEnabled: true
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainer
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identityId }
        }
      }
      runtime: { name: 'python', version: pythonVersion }
      scaleAndConcurrency: { instanceMemoryMB: memory, maximumInstanceCount: maximumInstances }
    }
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    outboundVnetRouting: empty(subnetId) ? null : { allTraffic: true }
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    siteConfig: { minTlsVersion: '1.2' }
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
  }

  resource appSettings 'config' = { name: 'appsettings', properties: settings }

  resource scmPassword 'basicPublishingCredentialsPolicies' = { name: 'scm', properties: { allow: false } }
  resource ftpPassword 'basicPublishingCredentialsPolicies' = { name: 'ftp', properties: { allow: false } }

  resource package 'extensions' = if (!empty(packageUri)) {
    name: 'onedeploy'
    dependsOn: [appSettings]
    #disable-next-line BCP187 // the type has no properties (bicep-types-az #2249)
    properties: { packageUri: packageUri, remoteBuild: false, type: 'zip' }
  }
}

output id string = app.id
output defaultHostName string = app.properties.defaultHostName
