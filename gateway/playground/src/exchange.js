// What the page shows of the last answer beside its content. The page asks for the cost with each operation, and for the
// plan while the plan's panel is open; both are taken out of the answer that the editor shows.

let last = null;
const listeners = new Set();

/** The last answer: `{ milliseconds, status, bytes, cost, plan }`, or null before the first one. */
export const lastAnswer = () => last;

export function onAnswer(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

let wantsPlan = false;

/** Whether the next operations ask for their plan. */
export function wantPlan(wants) {
  wantsPlan = wants;
}

/** Wraps a `fetch` that sends operations. */
export function observed(send) {
  return async (url, init) => {
    const request = JSON.parse(init.body);
    if (request.operationName === 'IntrospectionQuery') return send(url, init);
    if (wantsPlan) request.extensions = { ...request.extensions, plan: true };
    const began = performance.now();
    const headers = { ...init.headers, 'X-Query-Cost': '1' };
    const response = await send(url, { ...init, headers, body: JSON.stringify(request) });
    if (!/json/.test(response.headers.get('content-type') ?? '')) return response;
    const content = await response.arrayBuffer();
    const milliseconds = performance.now() - began;
    const { extensions: { cost, plan, ...others } = {}, ...answer } = JSON.parse(new TextDecoder().decode(content));
    if (Object.keys(others).length) answer.extensions = others;
    last = { milliseconds, status: response.status, bytes: content.byteLength, cost: cost?.requested, plan };
    listeners.forEach((tell) => tell());
    return new Response(JSON.stringify(answer), response);
  };
}
