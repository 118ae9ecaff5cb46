// The list of solicitações, newest first. New ones appear by themselves.
import { CombinedGraphQLErrors, NetworkStatus, type ErrorLike } from '@apollo/client';
import { useQuery } from '@apollo/client/react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Button } from 'react-aria-components';
import { Link } from 'react-router';
import { Field } from '../components/Field.tsx';
import { More } from '../components/More.tsx';
import { Outage } from '../components/Outage.tsx';
import { Part } from '../components/Part.tsx';
import { Title } from '../components/Title.tsx';
import { FILTERS, filterOf, useFilters, type FilterName, type Filters } from '../filters.ts';
import { useFillGaps } from '../gaps.ts';
import { SolicitacaoMudouDocument, SolicitacoesDocument, type LinhaFragment } from '../graphql/generated.ts';
import { live, useChanges } from '../live.ts';
import { useAllowed } from '../session.ts';
import { useSettled } from '../settled.ts';
import { counted, instant } from '../words.ts';

const PAGE = 50;
const LABELS: Record<FilterName, string> = {
  pessoa: 'Pessoa',
  servico: 'Serviço',
  produto: 'Produto',
  categoria: 'Categoria',
  de: 'De',
  ate: 'Até',
};

export function Solicitacoes() {
  const { values, set, leave, clear } = useFilters();
  const allowed = useAllowed();
  // One object as long as the filters are the same, since another one would be another query.
  const written = JSON.stringify(filterOf(values));
  const filter = useMemo(() => JSON.parse(written), [written]);
  const isLive = useChanges(SolicitacaoMudouDocument, { filter }, () => void refetch().catch(() => {}));
  const { data, previousData, error, networkStatus, fetchMore, refetch } = useQuery(SolicitacoesDocument, {
    variables: { first: PAGE, filter },
    fetchPolicy: 'cache-and-network',
    ...live(isLive),
  });
  const list = (data ?? previousData)?.solicitacoes;
  const rows = list?.edges.map(({ node }) => node) ?? [];
  const fresh = useFresh(rows, written);
  useFillGaps(rows);
  const filtered = FILTERS.some((name) => values[name]);
  const faulty = fieldAtFault(error);

  return (
    <>
      <Title text="Solicitações">
        {allowed('solicitacoes:write') ? (
          <Link className="button primary" to="/nova">
            Nova solicitação
          </Link>
        ) : null}
      </Title>
      <form className="filters" role="search" aria-label="Filtros" onSubmit={(event) => event.preventDefault()}>
        {FILTERS.map((name) => (
          <Filter
            key={name}
            name={name}
            values={values}
            set={set}
            leave={leave}
            error={faulty?.name === name ? faulty.message : undefined}
          />
        ))}
        {filtered ? (
          <Button className="quiet" onPress={clear}>
            Limpar filtros
          </Button>
        ) : null}
      </form>
      {faulty ? null : <Outage error={error} shown={Boolean(list)} />}
      <p className="count" role="status">
        {list ? counted(list.totalCount, 'solicitação', 'solicitações') : error ? '' : 'Carregando…'}
        {list && filtered ? ' com estes filtros' : ''}
        {fresh.size ? ` · ${counted(fresh.size, 'nova', 'novas')} desde que a página foi aberta` : ''}
      </p>
      {rows.length ? <Table rows={rows} fresh={fresh} /> : null}
      {list && !rows.length ? (
        <p className="empty">{filtered ? 'Nenhuma solicitação com estes filtros.' : 'Ainda não há solicitações.'}</p>
      ) : null}
      <More
        more={Boolean(data?.solicitacoes?.pageInfo.hasNextPage)}
        loading={networkStatus === NetworkStatus.fetchMore}
        onMore={() => void fetchMore({ variables: { after: list?.pageInfo.endCursor } }).catch(() => {})}
      />
    </>
  );
}

interface FilterProperties {
  name: FilterName;
  values: Filters;
  set: (name: FilterName, value: string) => void;
  leave: () => void;
  error: string | undefined;
}

function Filter({ name, values, set, leave, error }: FilterProperties) {
  const [text, setText] = useState(values[name]);
  const settled = useSettled(text);
  const shown = useRef(values[name]);
  useEffect(() => {
    shown.current = values[name];
    setText(values[name]); // the URL has changed, perhaps by the back button
  }, [values[name]]);
  useEffect(() => {
    if (settled.trim() !== shown.current) set(name, settled.trim());
  }, [settled]);
  const date = name === 'de' || name === 'ate';
  return (
    <Field
      label={LABELS[name]}
      value={text}
      onChange={setText}
      onBlur={leave}
      error={error}
      type={date ? 'date' : 'search'}
    />
  );
}

function Table({ rows, fresh }: { rows: LinhaFragment[]; fresh: ReadonlySet<string> }) {
  return (
    <table className="rows">
      <caption className="hidden">Solicitações, da mais nova para a mais antiga</caption>
      <thead>
        <tr>
          <th scope="col">Nº</th>
          <th scope="col">Data</th>
          <th scope="col">Pessoa</th>
          <th scope="col">Serviço</th>
          <th scope="col">Produto</th>
          <th scope="col">Categoria</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.id} className={fresh.has(row.id) ? 'fresh' : undefined}>
            <td data-label="Nº">
              <Link to={`/solicitacoes/${row.id}`} aria-label={`Solicitação ${row.id}`}>
                {row.id}
              </Link>
            </td>
            <td data-label="Data">
              <time dateTime={row.dataSolicitacao}>{instant(row.dataSolicitacao)}</time>
            </td>
            <td data-label="Pessoa">
              <Part of={row} field="pessoa" name={row.pessoa?.nomePessoa} id={row.pessoaId} />
            </td>
            <td data-label="Serviço">
              <Part of={row} field="servico" name={row.servico?.nomeServico} id={row.servicoId} />
            </td>
            <td data-label="Produto">
              <Part of={row} field="produto" name={row.produto?.nomeProduto} id={row.produtoId} />
            </td>
            <td data-label="Categoria">{row.produto?.categoria.nomeCategoria ?? '–'}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The ids of the rows that have come to the top of this list since it was first shown. */
function useFresh(rows: LinhaFragment[], list: string): ReadonlySet<string> {
  const first = useRef({ list: '', newest: '' });
  const newest = rows[0]?.dataSolicitacao ?? '';
  if (first.current.list !== list || !first.current.newest) first.current = { list, newest };
  return new Set(rows.filter((row) => row.dataSolicitacao > first.current.newest).map(({ id }) => id));
}

/** The filter that the gateway refuses, such as one that matches too many pessoas. */
function fieldAtFault(error: ErrorLike | undefined): { name: FilterName; message: string } | undefined {
  const [first] = CombinedGraphQLErrors.is(error) ? error.errors : [];
  const path = String(first?.extensions?.field ?? '').split('.');
  const name = [...path].reverse().find((step): step is FilterName => FILTERS.some((known) => known === step));
  return first && name ? { name, message: first.message } : undefined;
}
