// Add the app's Application Insights and workspace to an existing private link scope of Azure Monitor.

param scopeName string
param componentId string
param workspaceId string

resource privateLinkScope 'microsoft.insights/privateLinkScopes@2021-07-01-preview' existing = {
  name: scopeName

  resource component 'scopedResources' = {
    name: 'certroll-${uniqueString(componentId)}'
    properties: { linkedResourceId: componentId }
  }

  resource workspace 'scopedResources' = {
    name: 'certroll-${uniqueString(workspaceId)}'
    properties: { linkedResourceId: workspaceId }
  }
}
