// Everything that one installation of Certroll needs:
//   az deployment sub create --location REGION --template-file infra/main.bicep --parameters infra/main.bicepparam
// docs/adr/0056 and 0057 say why the identity, the storage and the grants are made in this way.

targetScope = 'subscription'

// ------------------------------------------------------------------------------------------------------ what it does

@description('observe plans and reports; apply also writes to Azure.')
@allowed(['observe', 'apply'])
param mode string

@description('Certroll carries the certificates of these vaults.')
@minLength(1)
param vaults vaultType[]

@description('Certroll serves the sites of these subscriptions.')
@minLength(1)
param subscriptions string[] = [subscription().subscriptionId]

@description('here: this template grants the rights on subscriptions and vaults. apart: the outputs hold a command for each owner.')
@allowed(['here', 'apart'])
param grants string = 'here'

@description('Rights for roots of App Service Environments. actions: by the custom role. builtin: by a built-in role.')
@allowed(['off', 'actions', 'builtin'])
param roots string = 'off'

@description('True if Certroll may read purchased certificates.')
param orders bool = true

@description('Rights for certificates of Flex Consumption apps. actions: by the custom role. builtin: by a built-in role.')
@allowed(['off', 'actions', 'builtin'])
param flexSites string = 'off'

@description('Rights to refresh Key Vault references. actions: by the custom role. off: App Service fetches within 24 hours.')
@allowed(['off', 'actions'])
param references string = 'off'

// --------------------------------------------------------------------------------------------------------- its names

@description('The region of all resources of the installation.')
param location string = deployment().location

@description('The beginning of the names of all resources.')
@minLength(2)
@maxLength(20)
param name string = 'certroll'

@description('The name of the resource group, which belongs to this installation alone.')
param groupName string = '${name}-rg'

@description('The name of the Function App, which is unique in Azure.')
param appName string = '${name}-${uniqueString(subscription().id, groupName)}'

@description('The name of the storage account, which is unique in Azure.')
@maxLength(24)
param storageName string = '${take(toLower(replace(name, '-', '')), 11)}${uniqueString(subscription().id, groupName)}'

@description('The name of the app\'s identity.')
param identityName string = name

@description('The name of the App Service plan.')
param planName string = name

@description('The name of Application Insights.')
param componentName string = name

@description('The name of the workspace. The template makes none if workspaceId is given.')
param workspaceName string = name

@description('Tags of every resource.')
param tags object = {}

@description('The name of the azd environment. Empty: azd does not deploy the template.')
param environmentName string = ''

// ---------------------------------------------------------------------------------------------------- where it runs

@description('flex: Flex Consumption. dedicated: virtual machines, for clouds and regions without Flex Consumption.')
@allowed(['flex', 'dedicated'])
param plan string = 'flex'

@description('The size of a dedicated plan.')
param dedicatedSize string = 'B1'

@description('The memory of an instance of Flex Consumption in MB.')
@allowed([512, 2048, 4096])
param memory int = 2048

@description('How many instances of Flex Consumption run at most.')
@minValue(40)
@maxValue(1000)
param maximumInstances int = 40

@description('The version of Python, for which the package was built.')
@allowed(['3.12', '3.13'])
param pythonVersion string = '3.12'

@description('The address of a release\'s zip, which Azure fetches. Empty: the template deploys no code, and the output deployCommand does.')
param packageUri string = ''

@description('The Azure cloud.')
@allowed(['public', 'usgov'])
param cloud string = 'public'

// --------------------------------------------------------------------------------------------------- how it is reached

@description('public: the app, its storage and its telemetry have public addresses. private: private endpoints, in existing subnets.')
@allowed(['public', 'private'])
param network string = 'public'

@description('The id of the subnet of the app\'s outgoing requests: delegated to Microsoft.App/environments (Flex Consumption) or Microsoft.Web/serverFarms.')
param appSubnetId string = ''

@description('The id of the subnet of the private endpoints.')
param endpointSubnetId string = ''

@description('The ids of existing private DNS zones. Without an id, a policy of the company writes the records.')
param zoneIds zonesType = {}

@description('True if the template makes private endpoints of the vaults. Most companies have them.')
param vaultEndpoints bool = false

@description('The storage of a private network. disabled: private endpoints only. deny: a firewall without rules, if Event Grid cannot deliver to disabled.')
@allowed(['disabled', 'deny'])
param storageFirewall string = 'disabled'

@description('The id of an existing private link scope of Azure Monitor. Empty: telemetry goes to public addresses.')
param monitorPrivateLinkScopeId string = ''

// ------------------------------------------------------------------------------------------------- how it is watched

@description('The id of an existing workspace. Empty: a new one.')
param workspaceId string = ''

@description('The ids of existing action groups. Empty: alerts fire, and tell nobody.')
param actionGroupIds string[] = []

@description('An alert fires if no sweep ended in this many hours. Raise it with sweepSchedule.')
param sweepWindowHours int = 3

// -------------------------------------------------------------- Certroll's settings: an empty one is not set

@description('tagged: Certroll writes only what belongs to a resource with the tag certroll: on, and observes all else.')
param scope string = ''

@description('Certroll waits this long for proof of a new version before the version goes further.')
param stageSoak string = ''

@description('Certroll waits this long after a write before it asks the app\'s probe.')
param probeSettle string = ''

@description('on: Certroll writes and validates the slots of a site before its production slot.')
param slotsFirst string = ''

@description('Certroll begins nothing new in these intervals, unless an old certificate ends soon.')
param freeze string = ''

@description('Certroll restarts apps only inside these windows.')
param restartWindow string = ''

@description('At most this many sites of one App Service plan restart at the same time.')
param maxRestarts string = ''

@description('At most this many apps of an App Service Environment are down at the same time.')
param aseMaxUnavailable string = ''

@description('on: Certroll also deletes superseded roots, and superseded certificates that people uploaded.')
param deleteSuperseded string = ''

@description('Certroll deletes a superseded certificate this long after its last user in the same webspace moved to a newer version, or a third of the certificate\'s life after it if that is shorter.')
param deleteGrace string = ''

@description('One run deletes at most this many certificates of one vault certificate.')
param maxDeletes string = ''

@description('Certroll reads the settings of an app that did not change again after this time. 0: each time.')
param settingsReread string = ''

@description('The encryption of every PFX that Certroll uploads.')
param pfxEncryption string = ''

@description('Certroll asks these servers for the DNS records of managed certificates.')
param dnsServers string = ''

@description('on: Certroll may renew and reissue purchased certificates and turn on their automatic renewal. Azure charges your subscription.')
param orderActions string = ''

@description('App Service\'s principal in your tenant.')
param appServiceObjectId string = ''

@description('Certificate registration\'s principal in your tenant.')
param registrationObjectId string = ''

@description('When the sweep runs. With a bad value, the sweep runs hourly, and Certroll reports SettingIgnored each hour.')
param sweepSchedule string = ''

@description('When the compliance sweep runs. With a bad value, it runs daily at 05:30 UTC, and Certroll reports SettingIgnored each hour.')
param complianceSchedule string = ''

@description('Compliance rules whose waivers do not count, such as CRT102,CRT402, or all.')
param noWaive string = ''

// ------------------------------------------------------------------------------------------------------------- types

type vaultType = {
  name: string
  resourceGroup: string
  @description('The subscription of the vault. Left out: that of the installation.')
  subscriptionId: string?
  @description('The region of the vault. Left out: that of the installation.')
  location: string?
  @description('rbac: the vault uses roles. policies: the vault uses access policies.')
  access: 'rbac' | 'policies'
  @description('True if Certroll may read the value of every secret of the vault.')
  allSecrets: bool?
  @description('The secrets whose values Certroll may read, on a vault with roles.')
  secretNames: string[]?
  @description('True if App Service may read the vault already. Azure refuses to assign one role twice.')
  appServiceReads: bool?
  @description('The vault\'s system topic, if it has one. Its identity must be on.')
  existingTopic: string?
  @description('With grants apart: the output topicPrincipalId of infra/vault.bicep.')
  topicPrincipalId: string?
}

type zonesType = {
  blob: string?
  queue: string?
  table: string?
  sites: string?
  vault: string?
}

// --------------------------------------------------------------------------------------------------------- resources

var allTags = union(tags, empty(environmentName) ? {} : { 'azd-env-name': environmentName })
var private = network == 'private'
var appSubnet = private && empty(appSubnetId) ? fail('network = private needs appSubnetId') : appSubnetId
var endpointSubnet = private && empty(endpointSubnetId)
  ? fail('network = private needs endpointSubnetId')
  : endpointSubnetId
var groupId = '${subscription().id}/resourceGroups/${groupName}'
var storageId = '${groupId}/providers/Microsoft.Storage/storageAccounts/${storageName}'
var storageHost = '${storageName}.{0}.core.usgovcloudapi.net'
var paidOrders = contains(['on', 'true', '1'], toLower(orderActions))
var subscriptionIds = [for vault in vaults: vault.?subscriptionId ?? subscription().subscriptionId]
var appServiceIds = [for vault in vaults: vault.?appServiceReads ?? false ? '' : appServiceObjectId]
var secretLists = [for vault in vaults: string(vault.?secretNames ?? [])]
var topicNames = [for vault in vaults: vault.?existingTopic ?? 'certroll-${vault.name}']
var hearing = filter(range(0, length(vaults)), i => grants == 'here' || !empty(vaults[i].?topicPrincipalId))
var topicIds = map(
  hearing,
  i => resourceId(subscriptionIds[i], vaults[i].resourceGroup, 'Microsoft.EventGrid/systemTopics', topicNames[i])
)

// An empty setting is left out, so that Certroll uses its default.
var operatorSettings = toObject(
  filter(
    items({
      CERTROLL_VAULTS: join(map(vaults, vault => vault.name), ',')
      CERTROLL_SUBSCRIPTIONS: join(subscriptions, ',')
      CERTROLL_MODE: mode
      CERTROLL_CLOUD: cloud
      CERTROLL_SCOPE: scope
      CERTROLL_STAGE_SOAK: stageSoak
      CERTROLL_PROBE_SETTLE: probeSettle
      CERTROLL_SLOTS_FIRST: slotsFirst
      CERTROLL_FREEZE: freeze
      CERTROLL_RESTART_WINDOW: restartWindow
      CERTROLL_MAX_RESTARTS: maxRestarts
      CERTROLL_ASE_MAX_UNAVAILABLE: aseMaxUnavailable
      CERTROLL_DELETE_SUPERSEDED: deleteSuperseded
      CERTROLL_DELETE_GRACE: deleteGrace
      CERTROLL_MAX_DELETES: maxDeletes
      CERTROLL_SETTINGS_REREAD: settingsReread
      CERTROLL_PFX_ENCRYPTION: pfxEncryption
      CERTROLL_DNS_SERVERS: dnsServers
      CERTROLL_ORDER_ACTIONS: orderActions
      CERTROLL_APP_SERVICE_OBJECT_ID: appServiceObjectId
      CERTROLL_REGISTRATION_OBJECT_ID: registrationObjectId
      CERTROLL_SWEEP_SCHEDULE: sweepSchedule
      CERTROLL_COMPLIANCE_SCHEDULE: complianceSchedule
      CERTROLL_NO_WAIVE: noWaive
    }),
    setting => !empty(setting.value)
  ),
  setting => setting.key,
  setting => setting.value
)

// The Functions host completes an account name with the public cloud's domain.
var storageSettings = cloud == 'public'
  ? { AzureWebJobsStorage__accountName: storageName }
  : {
      AzureWebJobsStorage__blobServiceUri: 'https://${format(storageHost, 'blob')}'
      AzureWebJobsStorage__queueServiceUri: 'https://${format(storageHost, 'queue')}'
      AzureWebJobsStorage__tableServiceUri: 'https://${format(storageHost, 'table')}'
    }

var settings = union(operatorSettings, storageSettings, {
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.outputs.clientId};Authorization=AAD'
  APPLICATIONINSIGHTS_CONNECTION_STRING: monitor.outputs.connectionString
  AZURE_CLIENT_ID: identity.outputs.clientId
  AzureWebJobsStorage__clientId: identity.outputs.clientId
  AzureWebJobsStorage__credential: 'managedidentity'
})

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  scope: group
  params: { name: identityName, location: location, tags: allTags }
}

module storage 'modules/storage.bicep' = {
  scope: group
  params: {
    name: storageName
    location: location
    tags: allTags
    access: private ? storageFirewall : 'public'
    principalId: identity.outputs.principalId
  }
}

module monitor 'modules/monitor.bicep' = {
  scope: group
  params: {
    name: componentName
    workspaceName: workspaceName
    location: location
    tags: allTags
    workspaceId: workspaceId
    private: !empty(monitorPrivateLinkScopeId)
    principalId: identity.outputs.principalId
  }
}

module privateLinkScope 'modules/private-link-scope.bicep' = if (!empty(monitorPrivateLinkScopeId)) {
  scope: resourceGroup(split(monitorPrivateLinkScopeId, '/')[?2] ?? '', split(monitorPrivateLinkScopeId, '/')[?4] ?? '')
  params: {
    scopeName: last(split(monitorPrivateLinkScopeId, '/'))
    componentId: monitor.outputs.id
    workspaceId: monitor.outputs.workspaceId
  }
}

// The app reads its package when it starts, so the endpoints of its storage come before the app.
module storageEndpoints 'modules/endpoints.bicep' = if (private) {
  scope: group
  dependsOn: [storage]
  params: {
    location: location
    tags: allTags
    subnetId: endpointSubnet
    targets: concat(
      map(['blob', 'queue', 'table'], part => {
        name: '${name}-${part}'
        id: storageId
        group: part
        zoneId: zoneIds[?part] ?? ''
      }),
      map(vaultEndpoints ? range(0, length(vaults)) : [], i => {
        name: '${name}-${vaults[i].name}'
        id: resourceId(subscriptionIds[i], vaults[i].resourceGroup, 'Microsoft.KeyVault/vaults', vaults[i].name)
        group: 'vault'
        zoneId: zoneIds.?vault ?? ''
      })
    )
  }
}

module flexApp 'modules/app.bicep' = if (plan == 'flex') {
  scope: group
  dependsOn: [storageEndpoints]
  params: {
    name: appName
    planName: planName
    location: location
    tags: allTags
    identityId: identity.outputs.id
    settings: settings
    packageContainer: '${storage.outputs.blobEndpoint}app-package'
    pythonVersion: pythonVersion
    memory: memory
    maximumInstances: maximumInstances
    subnetId: private ? appSubnet : ''
    private: private
    packageUri: packageUri
  }
}

module dedicatedApp 'modules/dedicated.bicep' = if (plan == 'dedicated') {
  scope: group
  dependsOn: [storage, storageEndpoints]
  params: {
    name: appName
    planName: planName
    location: location
    tags: allTags
    identityId: identity.outputs.id
    size: dedicatedSize
    settings: settings
    pythonVersion: pythonVersion
    subnetId: private ? appSubnet : ''
    private: private
    packageUri: packageUri
  }
}

module appEndpoint 'modules/endpoints.bicep' = if (private) {
  scope: group
  dependsOn: [flexApp, dedicatedApp]
  params: {
    location: location
    tags: allTags
    subnetId: endpointSubnet
    targets: [
      {
        name: '${name}-sites'
        id: '${groupId}/providers/Microsoft.Web/sites/${appName}'
        group: 'sites'
        zoneId: zoneIds.?sites ?? ''
      }
    ]
  }
}

module subscriptionRights 'subscription.bicep' = [
  for id in subscriptions: if (grants == 'here') {
    scope: subscription(id)
    params: {
      principalId: identity.outputs.principalId
      appGroupId: groupId
      appName: appName
      mode: mode
      roots: roots
      orders: orders
      orderActions: paidOrders
      flexSites: flexSites
      references: references
    }
  }
]

module vaultRights 'vault.bicep' = [
  for (vault, i) in vaults: if (grants == 'here') {
    scope: resourceGroup(subscriptionIds[i], vault.resourceGroup)
    dependsOn: [storage]
    params: {
      vaultName: vault.name
      location: vault.?location ?? location
      tags: allTags
      principalId: identity.outputs.principalId
      appServiceObjectId: appServiceIds[i]
      access: vault.access
      allSecrets: vault.?allSecrets ?? false
      secretNames: vault.?secretNames ?? []
      storageId: storageId
      topicName: topicNames[i]
      topicExists: !empty(vault.?existingTopic)
      grants: 'here'
      events: true
    }
  }
]

module topicRoles 'modules/topic-roles.bicep' = [
  for (vault, i) in vaults: if (grants == 'apart' && !empty(vault.?topicPrincipalId)) {
    scope: group
    dependsOn: [storage]
    params: { storageName: storageName, principalId: vault.?topicPrincipalId ?? '' }
  }
]

module alerts 'modules/alerts.bicep' = {
  scope: group
  dependsOn: [storage, vaultRights]
  params: {
    name: name
    location: location
    tags: allTags
    componentId: monitor.outputs.id
    workspaceId: monitor.outputs.workspaceId
    topicIds: topicIds
    storageAccountId: storageId
    actionGroupIds: actionGroupIds
    sweepWindowHours: sweepWindowHours
  }
}

module workbook 'modules/workbook.bicep' = {
  scope: group
  params: { name: name, location: location, tags: allTags, componentId: monitor.outputs.id }
}

// ----------------------------------------------------------------------------------------------------------- outputs

@description('For azd: the resource group of the app.')
output AZURE_RESOURCE_GROUP string = group.name

output appName string = appName
output storageId string = storageId
output identityId string = identity.outputs.id
output principalId string = identity.outputs.principalId

@description('The command that deploys the code. In a private network, run it inside. Empty: the template deployed packageUri.')
output deployCommand string = empty(packageUri)
  ? '${plan == 'flex' ? 'az functionapp deployment source config-zip --src' : 'az webapp deploy --type zip --src-path'} certroll-VERSION-py${replace(pythonVersion, '.', '')}.zip --subscription ${subscription().subscriptionId} --resource-group ${groupName} --name ${appName}'
  : ''

@description('With grants apart: the command of the owner of each served subscription.')
output subscriptionCommands string[] = [
  for id in grants == 'apart' ? subscriptions : []: 'az deployment sub create --subscription ${id} --location ${location} --name certroll-${uniqueString(groupId)} --template-file infra/subscription.bicep --parameters principalId=${identity.outputs.principalId} appGroupId=${groupId} appName=${appName} mode=${mode} roots=${roots} orders=${toLower(string(orders))} orderActions=${toLower(string(paidOrders))} flexSites=${flexSites} references=${references}'
]

@description('With grants apart: the command of the owner of each vault. Deploy main.bicep with topicPrincipalId after its first run, then run it again.')
output vaultCommands string[] = [
  for (vault, i) in grants == 'apart' ? vaults : []: 'az deployment group create --subscription ${subscriptionIds[i]} --resource-group ${vault.resourceGroup} --name certroll-${vault.name} --template-file infra/vault.bicep --parameters vaultName=${vault.name} location=${vault.?location ?? location} principalId=${identity.outputs.principalId} appServiceObjectId=${appServiceIds[i]} access=${vault.access} allSecrets=${toLower(string(vault.?allSecrets ?? false))} secretNames=\'${secretLists[i]}\' storageId=${storageId} topicName=${topicNames[i]} topicExists=${toLower(string(!empty(vault.?existingTopic)))} events=${toLower(string(!empty(vault.?topicPrincipalId)))}'
]
