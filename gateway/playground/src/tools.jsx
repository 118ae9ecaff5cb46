// What this page adds to GraphiQL: a link to share, the schema to keep, the last answer in figures, and its plan.
import { ToolbarButton, useGraphiQL } from '@graphiql/react';
import { printSchema } from 'graphql';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { lastAnswer, onAnswer, wantPlan } from './exchange.js';

const number = new Intl.NumberFormat('pt-BR', { maximumFractionDigits: 0 });

/** The operation that a shared link brings, as GraphiQL's tabs have it. Null without one. */
export function sharedOperation() {
  const parameters = new URLSearchParams(location.search);
  const query = parameters.get('query');
  return query && { query, variables: parameters.get('variables') ?? '' };
}

/** Puts a link to the operation into the address bar, and into the clipboard where the browser allows that. */
export function ShareButton() {
  const { queryEditor, variableEditor } = useGraphiQL(({ queryEditor, variableEditor }) => ({ queryEditor, variableEditor }));
  const [copied, setCopied] = useState(false);
  const share = async () => {
    const link = new URL('/graphql', location.href);
    link.searchParams.set('query', queryEditor?.getValue() ?? '');
    const variables = variableEditor?.getValue().trim();
    if (variables) link.searchParams.set('variables', variables);
    history.replaceState(null, '', link);
    try {
      await navigator.clipboard.writeText(link.href);
    } catch {
      return; // without HTTPS there is no clipboard; the link is in the address bar
    }
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <ToolbarButton label={copied ? 'Link copiado' : 'Copiar um link que abre esta operação'} onClick={share}>
      <Icon path="M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-6-6l-1.5 1.5M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 6 6l1.5-1.5" />
    </ToolbarButton>
  );
}

/** Saves the schema as `schema.graphql`. */
export function SchemaButton() {
  const schema = useGraphiQL((state) => state.schema);
  const save = () => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([printSchema(schema), '\n'], { type: 'application/graphql' }));
    link.download = 'schema.graphql';
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <ToolbarButton label="Baixar o esquema (SDL)" onClick={save} disabled={!schema}>
      <Icon path="M12 4v11m-4.5-4.5L12 15l4.5-4.5M5 19h14" />
    </ToolbarButton>
  );
}

const Icon = ({ path, className = 'graphiql-toolbar-icon' }) => (
  <svg className={className} viewBox="0 0 24 24" aria-hidden="true">
    <path d={path} fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round" />
  </svg>
);

/** Time, status, size and cost of the last answer. */
export function Figures() {
  const answer = useSyncExternalStore(onAnswer, lastAnswer);
  return (
    <div className="figures" role="status" aria-label="A última resposta">
      {answer && (
        <>
          <span title="Do envio até o último byte">{number.format(answer.milliseconds)} ms</span>
          <span title="Status HTTP">{answer.status}</span>
          <span title="Tamanho da resposta">{number.format(answer.bytes)} bytes</span>
          {answer.cost !== undefined && <span title="Pedidos aos serviços mais linhas, estimados">custo {number.format(answer.cost)}</span>}
        </>
      )}
    </div>
  );
}

function Plan() {
  const answer = useSyncExternalStore(onAnswer, lastAnswer);
  useEffect(() => {
    wantPlan(true);
    return () => wantPlan(false);
  }, []);
  return (
    <section className="plan" aria-label="Plano">
      <h2>Plano</h2>
      <p>Com este painel aberto, cada operação executada mostra aqui como o gateway a resolve.</p>
      {answer?.plan && <pre tabIndex={0}>{answer.plan}</pre>}
    </section>
  );
}

/** The panel of the plan. While it is open, operations ask for their plan. */
export const PLAN_PLUGIN = {
  title: 'Plano',
  icon: () => <Icon className="" path="M5 5h6v4H5zM13 15h6v4h-6zM8 9v8h5" />,
  content: Plan,
};
