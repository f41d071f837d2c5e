// The settings that an operator of the version before had set by hand, and the rights of the role of that version, as
// parameters.
using '../main.bicep'

param mode = 'apply'
param vaults = [
  { name: 'kv-one', resourceGroup: 'vaults', access: 'rbac', allSecrets: true }
  { name: 'kv-shop', resourceGroup: 'vaults', access: 'rbac', allSecrets: true }
]
param appServiceObjectId = '44444444-4444-4444-4444-444444444444'
param subscriptions = ['00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-00000000000b']
param roots = 'actions'
param flexSites = 'actions'
param references = 'actions'
param aseMaxUnavailable = '25%'
param cloud = 'public'
param deleteGrace = '14d'
param deleteSuperseded = 'on'
param dnsServers = '9.9.9.9,149.112.112.112:53'
param freeze = '2027-11-25/2027-12-01'
param maxDeletes = '2'
param maxRestarts = '3'
param orderActions = 'on'
param pfxEncryption = 'aes256'
param probeSettle = '90s'
param registrationObjectId = '55555555-5555-5555-5555-555555555555'
param restartWindow = 'Sat,Sun 22:00-04:00; Wed 01:00-03:00'
param scope = 'tagged'
param settingsReread = '12h'
param slotsFirst = 'off'
param stageSoak = '30m'
param sweepSchedule = '0 30 */2 * * *'
param complianceSchedule = '0 15 4 * * *'
param noWaive = 'CRT101'
