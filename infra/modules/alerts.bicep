// The alerts on Certroll's log and on the metrics of its resources. ../alerts/rules.json has the data of each rule, and
// ../alerts/NAME.kql its query. docs/reference/alerts.md explains each alert.

@description('The beginning of the name of each alert rule.')
param name string
param location string
param tags object

@description('The id of the Application Insights component. Its scope gives the queries the tables requests, traces and exceptions.')
param componentId string

@description('The id of the workspace of the component. Its daily cap has an alert if the workspace is in this resource group.')
param workspaceId string

@description('The ids of the system topics of the vaults.')
param topicIds string[]

@description('The id of the storage account of the app.')
param storageAccountId string

@description('The ids of the action groups that are told. Without any, the alerts fire, and nobody is told.')
param actionGroupIds string[]

@description('An alert fires if no sweep ended in this many hours: a few intervals of the sweep.')
param sweepWindowHours int

var rules = loadJsonContent('../alerts/rules.json')
var queries = {
  'starts-pending': loadTextContent('../alerts/starts-pending.kql')
  'no-heartbeat': loadTextContent('../alerts/no-heartbeat.kql')
  'no-functions': loadTextContent('../alerts/no-functions.kql')
  'host-ends': loadTextContent('../alerts/host-ends.kql')
  'settings-invalid': loadTextContent('../alerts/settings-invalid.kql')
  'certificate-ends': loadTextContent('../alerts/certificate-ends.kql')
  'finding-urgent': loadTextContent('../alerts/finding-urgent.kql')
  'finding-opened': loadTextContent('../alerts/finding-opened.kql')
  stalled: loadTextContent('../alerts/stalled.kql')
  'message-lost': loadTextContent('../alerts/message-lost.kql')
  'no-sweep': loadTextContent('../alerts/no-sweep.kql')
  'timer-fails': loadTextContent('../alerts/timer-fails.kql')
  'logs-capped': loadTextContent('../alerts/logs-capped.kql')
}

// Azure takes only these windows (terraform-provider-azurerm, monitor_scheduled_query_rules_alert_v2): PT1H to PT6H, P1D, P2D.
var sweepWindow = sweepWindowHours <= 6 ? 'PT${max(sweepWindowHours, 1)}H' : sweepWindowHours <= 24 ? 'P1D' : 'P2D'
var ownsWorkspace = toLower(join(take(split(workspaceId, '/'), 5), '/')) == toLower(resourceGroup().id)
var scopes = {
  component: componentId
  workspace: workspaceId
}
var logRules = filter(items(rules.logs), rule => rule.value.scope == 'component' || ownsWorkspace)
var targets = {
  topics: topicIds
  storage: [storageAccountId]
}
var metricRules = flatten(map(
  items(rules.metrics),
  rule =>
    map(targets[rule.value.of], (target, number) => {
      name: length(targets[rule.value.of]) == 1 ? rule.key : '${rule.key}-${uniqueString(target)}'
      target: target
      data: rule.value
    })
))

resource logAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in logRules: {
    name: '${name}-${rule.key}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'Certroll ${name}: ${rule.value.title}'
      description: rule.value.description
      severity: rule.value.severity
      scopes: [scopes[rule.value.scope]]
      windowSize: rule.value.window == 'sweep' ? sweepWindow : rule.value.window
      evaluationFrequency: rule.value.frequency
      autoMitigate: rule.value.autoMitigate
      // Azure would refuse a query of a table that has no row yet.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: queries[rule.key]
            timeAggregation: 'Count'
            operator: rule.value.operator
            threshold: rule.value.threshold
            dimensions: map(rule.value.dimensions, dimension => {
              name: dimension
              operator: 'Include'
              values: ['*']
            })
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: { actionGroups: actionGroupIds }
    }
  }
]

resource metricAlerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for rule in metricRules: {
    name: '${name}-${rule.name}'
    location: 'global'
    tags: tags
    properties: {
      description: 'Certroll ${name}: ${rule.data.title}. ${rule.data.description}'
      severity: rule.data.severity
      enabled: true
      scopes: [rule.target]
      windowSize: rule.data.window
      evaluationFrequency: rule.data.frequency
      autoMitigate: true
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: rule.data.metric
            metricNamespace: rule.data.namespace
            metricName: rule.data.metric
            timeAggregation: rule.data.aggregation
            operator: rule.data.operator
            threshold: rule.data.threshold
          }
        ]
      }
      actions: [for id in actionGroupIds: { actionGroupId: id }]
    }
  }
]
