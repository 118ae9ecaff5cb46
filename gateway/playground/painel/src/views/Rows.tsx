// The rows of one kind (pessoas, serviços, produtos or categorias): to find, add, rename and delete.
import { NetworkStatus } from '@apollo/client';
import { useApolloClient, useQuery } from '@apollo/client/react';
import { useEffect, useState, type FormEvent } from 'react';
import { Button, Form } from 'react-aria-components';
import { useSearchParams } from 'react-router';
import { Attempt } from '../components/Attempt.tsx';
import { Field } from '../components/Field.tsx';
import { More } from '../components/More.tsx';
import { Notice } from '../components/Notice.tsx';
import { Outage } from '../components/Outage.tsx';
import { Picker } from '../components/Picker.tsx';
import { Title } from '../components/Title.tsx';
import { Window } from '../components/Window.tsx';
import { categorias, type Follows, type Kind, type Row } from '../kinds.ts';
import { live, useChanges } from '../live.ts';
import { useAllowed } from '../session.ts';
import { useSettled } from '../settled.ts';
import { capital, counted } from '../words.ts';
import { useWrite } from '../write.ts';

const PAGE = 50;

export default function Rows({ kind }: { kind: Kind }) {
  const [parameters, setParameters] = useSearchParams();
  const named = parameters.get('nome') ?? '';
  const [text, setText] = useState(named);
  const settled = useSettled(text).trim();
  const allowed = useAllowed()(`${kind.owner}:write`);
  const [open, setOpen] = useState<{ action: 'add' | 'rename' | 'delete'; row: Row | null }>();
  const [done, setDone] = useState('');
  useEffect(() => setText(named), [named]);
  useEffect(() => {
    if (settled !== named) setParameters(settled ? { nome: settled } : {}, { replace: true });
  }, [settled]);
  const isLive = useChanges(kind.changes, {}, () => void refetch().catch(() => {}));
  const { data, previousData, error, networkStatus, fetchMore, refetch } = useQuery(kind.rows, {
    variables: { first: PAGE, filter: named ? kind.containing(named) : null },
    fetchPolicy: 'cache-and-network',
    ...live(isLive),
  });
  const list = (data ?? previousData)?.itens;
  const rows = list?.edges.map(({ node }) => node) ?? [];
  const close = (message?: string) => {
    setOpen(undefined);
    if (message === undefined) return;
    setDone(message);
    void refetch().catch(() => {});
  };

  return (
    <>
      <Title text={capital(kind.plural)}>
        {allowed ? (
          <Button className="primary" onPress={() => setOpen({ action: 'add', row: null })}>
            {kind.feminine ? 'Nova' : 'Novo'} {kind.singular}
          </Button>
        ) : null}
      </Title>
      <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <Field label="Procurar pelo nome" type="search" value={text} onChange={setText} />
      </form>
      {done ? <Notice kind="info">{done}</Notice> : null}
      <Outage error={error} shown={Boolean(list)} />
      <p className="count" role="status">
        {list ? counted(list.totalCount, kind.singular, kind.plural) : error ? '' : 'Carregando…'}
        {list && named ? ` com “${named}” no nome` : ''}
      </p>
      {rows.length ? (
        <table className="rows">
          <caption className="hidden">{capital(kind.plural)}, por ordem alfabética</caption>
          <thead>
            <tr>
              <th scope="col">Nome</th>
              {kind.type === 'Produto' ? <th scope="col">Categoria</th> : null}
              {allowed ? <th scope="col">Ações</th> : null}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.id}>
                <td data-label="Nome">{row.nome}</td>
                {kind.type === 'Produto' ? <td data-label="Categoria">{row.categoria?.nomeCategoria}</td> : null}
                {allowed ? (
                  <td data-label="Ações" className="row-actions">
                    <Button aria-label={`Mudar ${row.nome}`} onPress={() => setOpen({ action: 'rename', row })}>
                      Mudar
                    </Button>
                    <Button aria-label={`Excluir ${row.nome}`} onPress={() => setOpen({ action: 'delete', row })}>
                      Excluir
                    </Button>
                  </td>
                ) : null}
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      {list && !rows.length ? <p className="empty">Nada para mostrar.</p> : null}
      <More
        more={Boolean(data?.itens?.pageInfo.hasNextPage)}
        loading={networkStatus === NetworkStatus.fetchMore}
        onMore={() => void fetchMore({ variables: { after: list?.pageInfo.endCursor } }).catch(() => {})}
      />
      {open?.action === 'add' ? <Edit kind={kind} row={null} onClose={close} /> : null}
      {open?.action === 'rename' ? <Edit kind={kind} row={open.row} onClose={close} /> : null}
      {open?.action === 'delete' && open.row ? <Delete kind={kind} row={open.row} onClose={close} /> : null}
    </>
  );
}

interface Properties<Subject> {
  kind: Kind;
  row: Subject;
  /** With what was done, or with nothing if nothing was. */
  onClose: (done?: string) => void;
}

/** Adds a row, or changes the given one. */
function Edit({ kind, row, onClose }: Properties<Row | null>) {
  const [nome, setNome] = useState(row?.nome ?? '');
  const [categoria, setCategoria] = useState<Row | null>(
    row?.categoria ? { id: row.categoria.id, nome: row.categoria.nomeCategoria } : null,
  );
  const [tried, setTried] = useState(false);
  const creating = useWrite(kind.create);
  const updating = useWrite(kind.update);
  const { refusal, attempt, attempts } = row ? updating : creating;
  const needsCategoria = kind.type === 'Produto';
  const [the, ending] = kind.feminine ? ['a', 'a'] : ['o', 'o'];

  async function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (needsCategoria && !categoria) return;
    const input = { nome, categoriaId: categoria?.id ?? '' };
    const written = row ? await updating.write({ id: row.id, ...input }) : await creating.write(input);
    if (written) onClose(row ? `“${written.nome}” foi gravad${ending}.` : `“${written.nome}” foi criad${ending}.`);
  }

  const title = row ? `Mudar ${the} ${kind.singular}` : `Nov${ending} ${kind.singular}`;
  return (
    <Window title={title} onClose={onClose}>
      <Form className="form" onSubmit={(event) => void submit(event)} validationBehavior="aria">
        <Field label="Nome" value={nome} onChange={setNome} error={refusal?.fields[`nome${kind.type}`]} autoFocus />
        {needsCategoria ? (
          <Picker
            kind={categorias}
            chosen={categoria}
            onChoose={setCategoria}
            error={refusal?.fields.categoriaId ?? (tried && !categoria ? 'Escolha uma categoria da lista.' : undefined)}
          />
        ) : null}
        <Attempt refusal={refusal} attempt={attempt} attempts={attempts} />
        <div className="actions">
          <Button onPress={() => onClose()}>Cancelar</Button>
          <Button type="submit" className="primary" isDisabled={attempt > 0}>
            {attempt ? 'Gravando…' : refusal?.kind === 'outage' ? 'Tentar de novo' : 'Gravar'}
          </Button>
        </div>
      </Form>
    </Window>
  );
}

function Delete({ kind, row, onClose }: Properties<Row>) {
  const client = useApolloClient();
  const { data, error } = useQuery(kind.follows, { variables: { id: row.id }, fetchPolicy: 'no-cache' });
  const { write, refusal, attempt, attempts } = useWrite(kind.remove);
  const [the, ending] = kind.feminine ? ['a', 'a'] : ['o', 'o'];

  async function remove() {
    if (!(await write({ id: row.id }))) return;
    onClose(`“${row.nome}” foi excluíd${ending}.`);
    client.cache.evict({ id: `${kind.type}:${row.id}` });
  }

  return (
    <Window title={`Excluir ${the} ${kind.singular}?`} role="alertdialog" onClose={onClose}>
      <p>
        <strong>{row.nome}</strong> não poderá ser recuperad{ending}.
      </p>
      <p aria-live="polite">{error ? UNKNOWN : data ? consequence(kind, data) : 'Contando o que depende disto…'}</p>
      <Attempt refusal={refusal} attempt={attempt} attempts={attempts} />
      <div className="actions">
        <Button onPress={() => onClose()} autoFocus>
          Cancelar
        </Button>
        <Button className="danger" onPress={() => void remove()} isDisabled={attempt > 0 || (!data && !error)}>
          {attempt ? 'Excluindo…' : 'Excluir'}
        </Button>
      </div>
    </Window>
  );
}

const UNKNOWN = 'Não foi possível contar o que depende disto agora. As solicitações continuam, sem este nome.';

/** What follows from a deletion, in a sentence. */
function consequence(kind: Kind, { item, solicitacoes }: Follows): string {
  const count = (item?.solicitacoes ?? solicitacoes)?.totalCount;
  if (count === undefined) return UNKNOWN;
  const kept = count
    ? `${capital(counted(count, 'solicitação continua', 'solicitações continuam'))} na lista, com “não existe mais” no lugar do nome.`
    : 'Nenhuma solicitação depende disto.';
  if (kind.type !== 'Categoria') return kept;
  const produtos = item?.produtos?.totalCount ?? 0;
  if (!produtos) return 'A categoria não tem produtos.';
  return `${produtos === 1 ? 'O produto dela também será excluído' : `Os ${counted(produtos, 'produto', 'produtos')} dela também serão excluídos`}. ${kept}`;
}
