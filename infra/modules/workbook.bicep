// The workbook that shows the last sweep, findings, certificates, plans, runs and waves. ../workbook.json has its parts.

@description('The name that people see.')
param name string
param location string
param tags object

@description('The id of the Application Insights component whose log the workbook shows.')
param componentId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, name, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Certroll ${name}'
    category: 'workbook'
    version: '1.0'
    sourceId: componentId
    serializedData: string(loadJsonContent('../workbook.json'))
  }
}

output id string = workbook.id
