// Application Insights, which takes telemetry from signed-in identities only, and its workspace.

param name string
param workspaceName string
param location string
param tags object

@description('The id of an existing workspace. Empty: a new one.')
param workspaceId string

@description('True if only private endpoints of an Azure Monitor private link scope may send and query.')
param private bool

@description('The object id of the app\'s identity.')
param principalId string

// Azure docs, "Azure built-in roles": Monitoring Metrics Publisher. Without it no telemetry arrives, and nobody is told.
var publisher = '3913510d-42f4-4e42-8a64-420c390055eb'
var access = private ? 'Disabled' : 'Enabled'

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = if (empty(workspaceId)) {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    features: { disableLocalAuth: true }
    publicNetworkAccessForIngestion: access
    publicNetworkAccessForQuery: access
    retentionInDays: 90
    sku: { name: 'PerGB2018' }
  }
}

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: name
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    DisableLocalAuth: true
    WorkspaceResourceId: empty(workspaceId) ? workspace.id : workspaceId
    publicNetworkAccessForIngestion: access
    publicNetworkAccessForQuery: access
  }
}

resource publishes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: component
  name: guid(component.id, principalId, publisher)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', publisher)
  }
}

output id string = component.id
output workspaceId string = empty(workspaceId) ? workspace.id : workspaceId
output connectionString string = component.properties.ConnectionString
