// One solicitação in full.
import { useApolloClient, useQuery } from '@apollo/client/react';
import { useState } from 'react';
import { Button } from 'react-aria-components';
import { Link, useLocation, useNavigate, useParams } from 'react-router';
import { Attempt } from '../components/Attempt.tsx';
import { Notice } from '../components/Notice.tsx';
import { Outage } from '../components/Outage.tsx';
import { Part } from '../components/Part.tsx';
import { Title } from '../components/Title.tsx';
import { Window } from '../components/Window.tsx';
import { useFillGaps } from '../gaps.ts';
import { ExcluirSolicitacaoDocument, SolicitacaoDocument, SolicitacaoMudouDocument } from '../graphql/generated.ts';
import { live, useChanges } from '../live.ts';
import { useAllowed } from '../session.ts';
import { longInstant } from '../words.ts';
import { useWrite } from '../write.ts';

export default function Solicitacao() {
  const { id = '' } = useParams();
  const allowed = useAllowed();
  const created = (useLocation().state as { created?: boolean } | null)?.created;
  const [deleting, setDeleting] = useState(false);
  const isLive = useChanges(SolicitacaoMudouDocument, { id }, () => void refetch().catch(() => {}));
  const { data, previousData, error, loading, refetch } = useQuery(SolicitacaoDocument, {
    variables: { id },
    fetchPolicy: 'cache-and-network',
    ...live(isLive),
  });
  const answer = data ?? previousData;
  const row = answer?.solicitacao;
  useFillGaps(row ? [row] : []);
  return (
    <>
      <Title text={`Solicitação ${id}`}>
        {row && allowed('solicitacoes:write') ? <Button onPress={() => setDeleting(true)}>Excluir</Button> : null}
      </Title>
      {created ? <Notice kind="info">A solicitação foi criada.</Notice> : null}
      <Outage error={error} shown={Boolean(row)} />
      {row ? (
        <dl className="whole">
          <dt>Número</dt>
          <dd>{row.id}</dd>
          <dt>Feita em</dt>
          <dd>
            <time dateTime={row.dataSolicitacao}>{longInstant(row.dataSolicitacao)}</time>
          </dd>
          <dt>Pessoa</dt>
          <dd>
            <Part of={row} field="pessoa" name={row.pessoa?.nomePessoa} id={row.pessoaId} />
          </dd>
          <dt>Serviço</dt>
          <dd>
            <Part of={row} field="servico" name={row.servico?.nomeServico} id={row.servicoId} />
          </dd>
          <dt>Produto</dt>
          <dd>
            <Part of={row} field="produto" name={row.produto?.nomeProduto} id={row.produtoId} />
          </dd>
          <dt>Categoria</dt>
          <dd>{row.produto?.categoria.nomeCategoria ?? '–'}</dd>
        </dl>
      ) : answer ? (
        <p className="empty">Esta solicitação não existe, ou já foi excluída.</p>
      ) : loading ? (
        <p role="status">Carregando…</p>
      ) : null}
      <p>
        {row?.pessoa ? (
          <Link to={`/?${new URLSearchParams({ pessoa: row.pessoa.nomePessoa })}`}>
            Todas as solicitações de {row.pessoa.nomePessoa}
          </Link>
        ) : (
          <Link to="/">Todas as solicitações</Link>
        )}
      </p>
      {deleting ? <Delete id={id} onClose={() => setDeleting(false)} /> : null}
    </>
  );
}

function Delete({ id, onClose }: { id: string; onClose: () => void }) {
  const client = useApolloClient();
  const navigate = useNavigate();
  const { write, ...attempt } = useWrite(ExcluirSolicitacaoDocument);
  const remove = async () => {
    if (!(await write({ id }))) return;
    await navigate('/');
    client.cache.evict({ id: `Solicitacao:${id}` });
  };
  return (
    <Window title={`Excluir a solicitação ${id}?`} role="alertdialog" onClose={onClose}>
      <p>Ela sai da lista e dos números do resumo, e não pode ser recuperada. A pessoa, o serviço e o produto ficam.</p>
      <Attempt {...attempt} />
      <div className="actions">
        <Button onPress={onClose} autoFocus>
          Cancelar
        </Button>
        <Button className="danger" onPress={() => void remove()} isDisabled={attempt.attempt > 0}>
          Excluir
        </Button>
      </div>
    </Window>
  );
}
