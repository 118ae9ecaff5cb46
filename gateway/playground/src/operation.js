// Which operation of a text is meant. GraphiQL parses a text a moment after it has changed, as when another tab is opened;
// until then, the name that it gives is of the text before.
import { getOperationAST, Kind, parse } from 'graphql';

/** The request with the name of an operation that is in its text, and the kind of that operation. */
export function meant(request) {
  const operation = operationOf(request);
  if (!operation) return { request };
  return { request: { ...request, operationName: operation.name?.value }, kind: operation.operation };
}

function operationOf({ query, operationName }) {
  try {
    const document = parse(query);
    const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
    return operations.length === 1 ? operations[0] : getOperationAST(document, operationName);
  } catch {
    return null; // a syntax error, which the gateway explains
  }
}
