// Stand-in until the alerts are merged: the heartbeat, and events that Event Grid gave up.

param name string
param location string
param tags object
param componentId string
#disable-next-line no-unused-params
param workspaceId string
param topicIds string[]
#disable-next-line no-unused-params
param storageAccountId string
param actionGroupIds string[]
#disable-next-line no-unused-params
param sweepWindowHours int

resource heartbeat 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: '${name}-silent'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    actions: { actionGroups: actionGroupIds }
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: 'requests | where name == "starts_timer" and success == true'
          operator: 'LessThan'
          threshold: 1
          timeAggregation: 'Count'
        }
      ]
    }
    enabled: true
    evaluationFrequency: 'PT15M'
    scopes: [componentId]
    severity: 1
    skipQueryValidation: true
    windowSize: 'PT15M'
  }
}

resource lost 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for (topicId, i) in topicIds: {
    name: '${name}-lost-${uniqueString(topicId)}'
    location: 'global'
    tags: tags
    properties: {
      actions: [for id in actionGroupIds: { actionGroupId: id }]
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: 'lost'
            metricName: 'DeadLetteredCount'
            operator: 'GreaterThan'
            threshold: 0
            timeAggregation: 'Total'
          }
        ]
      }
      enabled: true
      evaluationFrequency: 'PT5M'
      scopes: [topicId]
      severity: 2
      windowSize: 'PT15M'
    }
  }
]
