// Answers requests with GitHub's own parser of workflows and expressions: one JSON object a line in, one a line out.
import { registerHooks } from "node:module";
import { createInterface } from "node:readline";

// The packages are made for bundlers, which do not ask that an import of JSON says so; Node does.
const json = { importAttributes: { type: "json" } };
registerHooks({ load: (url, context, next) => next(url, url.endsWith(".json") ? { ...context, ...json } : context) });
const { Evaluator, Lexer, Parser, data } = await import("@actions/expressions");
const { NoOperationTraceWriter, convertWorkflowTemplate, parseWorkflow, ...guards } = await import(
  "@actions/workflow-parser"
);

// Returns a token as plain JSON, in which a text that begins with `${{` is one whole expression.
function plain(token) {
  if (guards.isMapping(token)) {
    return Object.fromEntries([...token].map(({ key, value }) => [String(key), plain(value)]));
  }
  if (guards.isSequence(token)) {
    return [...token].map(plain);
  }
  return guards.isBoolean(token) || guards.isNumber(token) ? token.value : String(token);
}

// Returns a workflow in which each `if` stands as GitHub completes it.
async function read(content) {
  const { context, value } = parseWorkflow({ name: "workflow", content }, new NoOperationTraceWriter());
  const template = value && (await convertWorkflowTemplate(context, value));
  const errors = context.errors.getErrors().map((error) => error.message);
  if (errors.length) {
    throw new Error(errors.join("\n"));
  }
  const workflow = plain(value);
  for (const { id, if: condition, steps = [] } of template.jobs) {
    const job = workflow.jobs[id.value];
    job.if = String(condition);
    steps.forEach((step, number) => (job.steps[number].if = String(step.if)));
  }
  return workflow;
}

function evaluate(expression, contexts, functions) {
  const { tokens } = new Lexer(expression).lex();
  const names = contexts.pairs().map(({ key }) => key);
  const tree = new Parser(tokens, names, [...functions.values()]).parse();
  return new Evaluator(tree, contexts, functions).evaluate();
}

function filled(value, known, asText) {
  if (Array.isArray(value)) {
    return value.map((item) => filled(item, known, asText));
  }
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item, known, asText)]));
  }
  const isExpression = typeof value === "string" && value.startsWith("${{");
  const result = isExpression ? evaluate(value.slice(3, -2), ...known) : data.reviver("", value);
  return asText ? result.coerceString() : result;
}

async function answer({ workflow, value, contexts, status, as_text }) {
  if (workflow !== undefined) {
    return read(workflow);
  }
  const functions = Object.entries(status).map(([name, holds]) => {
    return [name, { name, minArgs: 0, maxArgs: 0, call: () => new data.BooleanData(holds) }];
  });
  return filled(value, [JSON.parse(JSON.stringify(contexts), data.reviver), new Map(functions)], as_text);
}

for await (const line of createInterface({ input: process.stdin })) {
  const reply = await answer(JSON.parse(line)).then((value) => ({ value }), (error) => ({ error: error.message }));
  console.log(JSON.stringify(reply, data.replacer));
}
