// What the app may do in one served subscription: a custom role of the actions that Certroll uses, and its assignment.
// docs/reference/roles.md says what each action is for.
// Azure refuses a whole definition for one action that it does not know (InvalidActionOrNotAction). Microsoft's lists
// lack sites/certificates and hostingEnvironments/publicCertificates, so a parameter replaces each by a built-in role.

targetScope = 'subscription'

@description('The object id of the app\'s identity.')
param principalId string

@description('The id of the app\'s resource group, which tells installations apart.')
param appGroupId string

@description('The name of the app, which the portal shows beside the role.')
param appName string

@description('observe: the app may only read, and start what it stopped. apply: the app may also write.')
@allowed(['observe', 'apply'])
param mode string

@description('Roots of App Service Environments. actions: by the custom role. builtin: by a built-in role. off: no rights.')
@allowed(['off', 'actions', 'builtin'])
param roots string

@description('True if the app may read purchased certificates.')
param orders bool

@description('True if the app may renew and reissue purchased certificates, which costs money.')
param orderActions bool

@description('Certificates of Flex Consumption apps. actions: by the custom role. builtin: by a built-in role. off: no rights.')
@allowed(['off', 'actions', 'builtin'])
param flexSites string

@description('Rights to refresh Key Vault references. actions: by the custom role. off: App Service fetches within 24 hours.')
@allowed(['off', 'actions'])
param references string

var writes = mode == 'apply'

// The app starts what it stopped, also after its mode went back to observe, or after a deployment without roots.
var reads = [
  'Microsoft.Web/sites/start/action'
  'Microsoft.Web/sites/slots/start/action'
  'Microsoft.Authorization/roleAssignments/read'
  'Microsoft.KeyVault/vaults/read'
  'Microsoft.Resources/subscriptions/resources/read'
  'Microsoft.Web/certificates/read'
  'Microsoft.Web/certificates/operationresults/read'
  'Microsoft.Web/hostingEnvironments/read'
  'Microsoft.Web/hostingEnvironments/configurations/read'
  'Microsoft.Web/hostingEnvironments/configurations/networking/read'
  'Microsoft.Web/serverfarms/read'
  'Microsoft.Web/serverfarms/sites/read'
  'Microsoft.Web/sites/read'
  'Microsoft.Web/sites/config/read'
  'Microsoft.Web/sites/config/list/action'
  'Microsoft.Web/sites/config/appsettings/read'
  'Microsoft.Web/sites/hostNameBindings/read'
  'Microsoft.Web/sites/publicCertificates/read'
  'Microsoft.Web/sites/slots/read'
  'Microsoft.Web/sites/slots/config/read'
  'Microsoft.Web/sites/slots/config/list/action'
  'Microsoft.Web/sites/slots/config/appsettings/read'
  'Microsoft.Web/sites/slots/hostNameBindings/read'
  'Microsoft.Web/sites/slots/publicCertificates/read'
]

var changes = [
  'Microsoft.Web/certificates/write'
  'Microsoft.Web/certificates/delete'
  'Microsoft.Web/serverfarms/join/action'
  'Microsoft.Web/sites/config/write'
  'Microsoft.Web/sites/hostNameBindings/write'
  'Microsoft.Web/sites/publicCertificates/write'
  'Microsoft.Web/sites/publicCertificates/delete'
  'Microsoft.Web/sites/restart/action'
  'Microsoft.Web/sites/slots/config/write'
  'Microsoft.Web/sites/slots/hostNameBindings/write'
  'Microsoft.Web/sites/slots/publicCertificates/write'
  'Microsoft.Web/sites/slots/publicCertificates/delete'
  'Microsoft.Web/sites/slots/restart/action'
]

var rootReads = ['Microsoft.Web/hostingEnvironments/sites/read']
var rootChanges = ['Microsoft.Web/sites/stop/action', 'Microsoft.Web/sites/slots/stop/action']
var unlistedRootReads = ['Microsoft.Web/hostingEnvironments/publicCertificates/read']
var unlistedRootChanges = [
  'Microsoft.Web/hostingEnvironments/publicCertificates/write'
  'Microsoft.Web/hostingEnvironments/publicCertificates/delete'
]

var orderReads = [
  'Microsoft.CertificateRegistration/certificateOrders/read'
  'Microsoft.CertificateRegistration/certificateOrders/retrieveCertificateActions/action'
]
var orderChanges = [
  'Microsoft.CertificateRegistration/certificateOrders/write'
  'Microsoft.CertificateRegistration/certificateOrders/reissue/action'
  'Microsoft.CertificateRegistration/certificateOrders/renew/action'
  'Microsoft.Resources/tags/write'
]

var unlistedSiteReads = ['Microsoft.Web/sites/certificates/read']
var unlistedSiteChanges = ['Microsoft.Web/sites/certificates/write', 'Microsoft.Web/sites/certificates/delete']

var unlistedReferences = [
  'Microsoft.Web/sites/config/appsettings/refresh/action'
  'Microsoft.Web/sites/slots/config/appsettings/refresh/action'
]

var actions = concat(
  reads,
  writes ? changes : [],
  roots == 'off' ? [] : rootReads,
  roots != 'off' && writes ? rootChanges : [],
  roots == 'actions' ? unlistedRootReads : [],
  roots == 'actions' && writes ? unlistedRootChanges : [],
  orders ? orderReads : [],
  orders && orderActions && writes ? orderChanges : [],
  flexSites == 'actions' ? unlistedSiteReads : [],
  flexSites == 'actions' && writes ? unlistedSiteChanges : [],
  references == 'actions' && writes ? unlistedReferences : []
)

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, appGroupId, 'certroll')
  properties: {
    roleName: 'Certroll ${appName} ${uniqueString(subscription().id, appGroupId)}'
    description: 'Carry renewed Key Vault certificates through App Service.'
    type: 'CustomRole'
    permissions: [{ actions: actions, notActions: [], dataActions: [], notDataActions: [] }]
    assignableScopes: [subscription().id]
  }
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, principalId, role.id)
  properties: { principalId: principalId, principalType: 'ServicePrincipal', roleDefinitionId: role.id }
}

// Azure docs, "Azure built-in roles": Reader, App Service Environment Contributor, Website Contributor.
var reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7'
var environmentContributor = '8ea85a25-eb16-4e29-ab4d-6f2a26c711a2'
var websiteContributor = 'de139f84-1756-47ae-9be6-808fbbe84772'
var builtIns = union(
  roots == 'builtin' ? [writes ? environmentContributor : reader] : [],
  flexSites == 'builtin' ? [writes ? websiteContributor : reader] : []
)

resource builtInAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for builtIn in builtIns: {
    name: guid(subscription().id, principalId, builtIn)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', builtIn)
    }
  }
]
