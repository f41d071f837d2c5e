// A plan of virtual machines, an existing workspace and an existing action group.
using '../main.bicep'

param mode = 'apply'
param vaults = [
  { name: 'kv-one', resourceGroup: 'vaults', access: 'rbac', allSecrets: true }
]
param appServiceObjectId = '11111111-1111-1111-1111-111111111111'
param plan = 'dedicated'
param dedicatedSize = 'P0v3'
param workspaceId = '/subscriptions/00000000-0000-0000-0000-00000000000b/resourceGroups/monitor/providers/Microsoft.OperationalInsights/workspaces/company'
param actionGroupIds = [
  '/subscriptions/00000000-0000-0000-0000-00000000000b/resourceGroups/monitor/providers/Microsoft.Insights/actionGroups/operators'
]
param tags = { costCentre: '4711' }
