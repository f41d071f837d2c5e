// Let Certroll work in one served subscription. Its owner runs this template if infra/main.bicep grants nothing there:
//   az deployment sub create --subscription ID -l REGION -f infra/subscription.bicep -p principalId=… appGroupId=… …
// The outputs of infra/main.bicep hold the whole command. It needs Owner, or Contributor and User Access Administrator.

targetScope = 'subscription'

@description('The object id of the app\'s identity: output principalId of infra/main.bicep.')
param principalId string

@description('The id of the app\'s resource group.')
param appGroupId string

@description('The name of the app.')
param appName string

@description('The mode of the app: observe or apply.')
@allowed(['observe', 'apply'])
param mode string

@description('Roots of App Service Environments. actions: by the custom role. builtin: by a built-in role. off: no rights.')
@allowed(['off', 'actions', 'builtin'])
param roots string = 'off'

@description('True if the app may read purchased certificates.')
param orders bool = true

@description('True if the app may renew and reissue purchased certificates, which costs money.')
param orderActions bool = false

@description('Certificates of Flex Consumption apps. actions: by the custom role. builtin: by a built-in role. off: no rights.')
@allowed(['off', 'actions', 'builtin'])
param flexSites string = 'off'

@description('Rights to refresh Key Vault references. actions: by the custom role. off: App Service fetches within 24 hours.')
@allowed(['off', 'actions'])
param references string = 'off'

module rights 'modules/roles.bicep' = {
  name: 'certroll-roles-${uniqueString(appGroupId)}'
  params: {
    principalId: principalId
    appGroupId: appGroupId
    appName: appName
    mode: mode
    roots: roots
    orders: orders
    orderActions: orderActions
    flexSites: flexSites
    references: references
  }
}
