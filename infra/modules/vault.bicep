// Who may read one vault: Certroll, and App Service, which fetches the certificates that apps import.

@description('The name of the vault.')
param vaultName string

@description('The object id of the app\'s identity.')
param principalId string

@description('The object id of App Service in the tenant. Empty: App Service has its right already.')
param appServiceObjectId string

@description('rbac: the vault uses roles. policies: the vault uses access policies, and a role would grant nothing.')
@allowed(['rbac', 'policies'])
param access string

@description('True if Certroll may read the value of every secret of the vault.')
param allSecrets bool

@description('The secrets whose values Certroll may read, on a vault with roles.')
param secretNames string[]

// Azure docs, "Azure built-in roles": Key Vault Reader, Key Vault Secrets User, Key Vault Certificate User.
var reader = '21090545-7ca7-4776-b22c-e363652d74d2'
var secretsUser = '4633458b-17de-408a-b874-0445c86b69e6'
var certificateUser = 'db79e9a7-68ee-4b58-9aeb-b90e7c24fcba'

var readers = concat(
  [{ principal: principalId, role: reader }],
  allSecrets ? [{ principal: principalId, role: secretsUser }] : [],
  empty(appServiceObjectId) ? [] : [{ principal: appServiceObjectId, role: certificateUser }]
)

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName

  resource secrets 'secrets' existing = [for name in secretNames: { name: name }]
}

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for entry in readers: if (access == 'rbac') {
    scope: vault
    name: guid(vault.id, entry.principal, entry.role)
    properties: {
      principalId: entry.principal
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', entry.role)
    }
  }
]

resource secretAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, index) in secretNames: if (access == 'rbac' && !allSecrets) {
    scope: vault::secrets[index]
    name: guid(vault.id, name, principalId, secretsUser)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
    }
  }
]

var ownPolicy = {
  objectId: principalId
  tenantId: tenant().tenantId
  permissions: { certificates: ['get', 'list'], keys: ['get'], secrets: allSecrets ? ['get', 'list'] : ['list'] }
}
var appServicePolicy = {
  objectId: appServiceObjectId
  tenantId: tenant().tenantId
  permissions: { certificates: ['get'], secrets: ['get'] }
}

resource policies 'Microsoft.KeyVault/vaults/accessPolicies@2025-05-01' = if (access == 'policies') {
  parent: vault
  name: 'add'
  properties: { accessPolicies: empty(appServiceObjectId) ? [ownPolicy] : [ownPolicy, appServicePolicy] }
}
