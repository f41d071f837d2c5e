// Reads {"tables": {NAME: "(column: type, ...)"}, "queries": [TEXT, ...]} and prints, for each query, what Microsoft's
// analyser finds wrong, and the columns of its result: [{"problems": [TEXT, ...], "columns": {NAME: TYPE}}, ...].
const folder = `${__dirname}/node_modules/@kusto/language-service-next/`;
require(`${folder}bridge.min.js`);
require(`${folder}Kusto.Language.Bridge.min.js`);
const { TableSymbol, DatabaseSymbol } = Kusto.Language.Symbols;
const listed = (list) => Array.from({ length: list.Count }, (_, number) => list.getItem(number));
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
const tables = Object.entries(given.tables).map(([name, columns]) => TableSymbol.From(columns).WithName(name));
const globals = Kusto.Language.GlobalState.Default.WithDatabase(new DatabaseSymbol.ctor("app", tables));
const answers = given.queries.map((query) => {
  const code = Kusto.Language.KustoCode.ParseAndAnalyze(query, globals);
  const problems = listed(code.GetDiagnostics()).map((found) => found.Message);
  const columns = code.ResultType && code.ResultType.Columns ? listed(code.ResultType.Columns) : [];
  return { problems, columns: Object.fromEntries(columns.map((column) => [column.Name, column.Type.Name])) };
});
console.log(JSON.stringify(answers));
