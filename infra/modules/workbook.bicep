// Stand-in until the workbook is merged.

param name string
param location string
param tags object
param componentId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(componentId, 'certroll')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    category: 'workbook'
    displayName: name
    serializedData: '{"version":"Notebook/1.0","items":[]}'
    sourceId: componentId
  }
}
