// The filters of the list. They stand in the URL, so that a view can be shared and the back button works.
import { useEffect, useRef } from 'react';
import { useSearchParams } from 'react-router';
import type { SolicitacaoFilter } from './graphql/generated.ts';
import { midnight } from './words.ts';

export const FILTERS = ['pessoa', 'servico', 'produto', 'categoria', 'de', 'ate'] as const;
export type FilterName = (typeof FILTERS)[number];
export type Filters = Record<FilterName, string>;

export function useFilters() {
  const [parameters, setParameters] = useSearchParams();
  const values = Object.fromEntries(FILTERS.map((name) => [name, parameters.get(name) ?? ''])) as Filters;
  // Two filters may be set before the page is rendered again.
  const latest = useRef(parameters);
  useEffect(() => {
    latest.current = parameters;
  }, [parameters]);
  // While one field is being typed into, the URL changes, but the browser's history gets only one entry.
  const typing = useRef<FilterName>(undefined);
  const set = (name: FilterName, value: string) => {
    if (value === (latest.current.get(name) ?? '')) return;
    const next = new URLSearchParams(latest.current);
    if (value) next.set(name, value);
    else next.delete(name);
    latest.current = next;
    setParameters(next, { replace: typing.current === name, preventScrollReset: true });
    typing.current = name;
  };
  const leave = () => {
    typing.current = undefined;
  };
  return { values, set, leave, clear: () => setParameters(new URLSearchParams()) };
}

/** The condition in GraphQL; null if nothing is filtered. */
export function filterOf({ pessoa, servico, produto, categoria, de, ate }: Filters): SolicitacaoFilter | null {
  const from = midnight(de);
  const until = midnight(ate, 1);
  const filter: SolicitacaoFilter = {
    ...(pessoa && { pessoa: { nomePessoa: { contains: pessoa } } }),
    ...(servico && { servico: { nomeServico: { contains: servico } } }),
    ...((produto || categoria) && {
      produto: {
        ...(produto && { nomeProduto: { contains: produto } }),
        ...(categoria && { categoria: { nomeCategoria: { contains: categoria } } }),
      },
    }),
    ...((from || until) && { dataSolicitacao: { ...(from && { gte: from.toISOString() }), ...(until && { lt: until.toISOString() }) } }),
  };
  return Object.keys(filter).length ? filter : null;
}
