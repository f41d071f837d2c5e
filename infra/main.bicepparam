// The parameters of one installation. Edit this file, or set the variables in the azd environment: azd env set NAME VALUE.
// Without CERTROLL_MODE nothing is deployed. Begin with observe.
using './main.bicep'

param mode = readEnvironmentVariable('CERTROLL_MODE', '')

// Each vault: name, resourceGroup and access ('rbac' or 'policies'); infra/main.bicep lists the rest. As a variable:
//   azd env set CERTROLL_VAULT_LIST '[{"name":"kv-one","resourceGroup":"vaults","access":"rbac"}]'
param vaults = json(readEnvironmentVariable('CERTROLL_VAULT_LIST', '[]'))

param name = readEnvironmentVariable('CERTROLL_NAME', 'certroll')
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', '')
param grants = readEnvironmentVariable('CERTROLL_GRANTS', 'here')
param cloud = readEnvironmentVariable('CERTROLL_CLOUD', 'public')

// az ad sp show --id abfa0a7c-a6b6-4736-8310-5855508787cd --query id -o tsv
param appServiceObjectId = readEnvironmentVariable('CERTROLL_APP_SERVICE_OBJECT_ID', '')

// Certroll's own settings. A deployment writes all of them: one that is missing here goes back to its default.
param scope = readEnvironmentVariable('CERTROLL_SCOPE', '')
param stageSoak = readEnvironmentVariable('CERTROLL_STAGE_SOAK', '')
param probeSettle = readEnvironmentVariable('CERTROLL_PROBE_SETTLE', '')
param slotsFirst = readEnvironmentVariable('CERTROLL_SLOTS_FIRST', '')
param freeze = readEnvironmentVariable('CERTROLL_FREEZE', '')
param restartWindow = readEnvironmentVariable('CERTROLL_RESTART_WINDOW', '')
param maxRestarts = readEnvironmentVariable('CERTROLL_MAX_RESTARTS', '')
param aseMaxUnavailable = readEnvironmentVariable('CERTROLL_ASE_MAX_UNAVAILABLE', '')
param deleteSuperseded = readEnvironmentVariable('CERTROLL_DELETE_SUPERSEDED', '')
param deleteGrace = readEnvironmentVariable('CERTROLL_DELETE_GRACE', '')
param maxDeletes = readEnvironmentVariable('CERTROLL_MAX_DELETES', '')
param settingsReread = readEnvironmentVariable('CERTROLL_SETTINGS_REREAD', '')
param pfxEncryption = readEnvironmentVariable('CERTROLL_PFX_ENCRYPTION', '')
param dnsServers = readEnvironmentVariable('CERTROLL_DNS_SERVERS', '')
param orderActions = readEnvironmentVariable('CERTROLL_ORDER_ACTIONS', '')
param registrationObjectId = readEnvironmentVariable('CERTROLL_REGISTRATION_OBJECT_ID', '')
param sweepSchedule = readEnvironmentVariable('CERTROLL_SWEEP_SCHEDULE', '')
param complianceSchedule = readEnvironmentVariable('CERTROLL_COMPLIANCE_SCHEDULE', '')
param noWaive = readEnvironmentVariable('CERTROLL_NO_WAIVE', '')
