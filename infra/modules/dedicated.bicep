// The Function App on a plan of virtual machines, for clouds without Flex Consumption.
// US Government knows Microsoft.Web up to 2024-04-01 (azure-cli #31943).

param name string
param planName string
param location string
param tags object
param identityId string

@description('The size of the plan, such as B1 or P0v3.')
param size string

@description('The app settings.')
param settings object

@description('3.12 or 3.13.')
param pythonVersion string

@description('The subnet of the app\'s outgoing requests. Empty: none.')
param subnetId string

@description('True if the app can be reached through its private endpoint only.')
param private bool

@description('The address of a release\'s zip, which Azure fetches. Empty: the template deploys no code.')
param packageUri string

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'linux'
  sku: { name: size }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'certroll' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    serverFarmId: plan.id
    endToEndEncryptionEnabled: true
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    siteConfig: { alwaysOn: true, linuxFxVersion: 'PYTHON|${pythonVersion}', minTlsVersion: '1.2' }
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    vnetRouteAllEnabled: !empty(subnetId)
  }

  resource appSettings 'config' = {
    name: 'appsettings'
    // The zip holds all packages, so nothing is built in Azure.
    properties: union(settings, {
      FUNCTIONS_EXTENSION_VERSION: '~4'
      FUNCTIONS_WORKER_RUNTIME: 'python'
      WEBSITE_RUN_FROM_PACKAGE: '1'
    })
  }

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
