// Creating a solicitação: three look-ahead fields, every error beside its field.
import { useState, type FormEvent } from 'react';
import { Button, Form } from 'react-aria-components';
import { Link, useNavigate } from 'react-router';
import { Attempt } from '../components/Attempt.tsx';
import { Notice } from '../components/Notice.tsx';
import { Picker } from '../components/Picker.tsx';
import { Title } from '../components/Title.tsx';
import { CriarSolicitacaoDocument } from '../graphql/generated.ts';
import { pessoas, produtos, servicos, type Row } from '../kinds.ts';
import { useAllowed } from '../session.ts';
import { useWrite } from '../write.ts';

const FIELDS = [
  { kind: pessoas, field: 'pessoaId', missing: 'Escolha uma pessoa da lista.' },
  { kind: servicos, field: 'servicoId', missing: 'Escolha um serviço da lista.' },
  { kind: produtos, field: 'produtoId', missing: 'Escolha um produto da lista.' },
] as const;
type FieldName = (typeof FIELDS)[number]['field'];

export default function Nova() {
  const navigate = useNavigate();
  const allowed = useAllowed();
  const [chosen, setChosen] = useState<Partial<Record<FieldName, Row | null>>>({});
  const [tried, setTried] = useState(false);
  const { write, refusal, attempt, attempts, forget } = useWrite(CriarSolicitacaoDocument);

  async function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    const { pessoaId: pessoa, servicoId: servico, produtoId: produto } = chosen;
    if (!pessoa || !servico || !produto) return;
    const created = await write({ input: { pessoaId: pessoa.id, servicoId: servico.id, produtoId: produto.id } });
    if (created) await navigate(`/solicitacoes/${created.id}`, { state: { created: true } });
  }

  if (!allowed('solicitacoes:write'))
    return (
      <>
        <Title text="Nova solicitação" />
        <Notice kind="mistake">O seu token não permite criar solicitações.</Notice>
      </>
    );
  return (
    <>
      <Title text="Nova solicitação" />
      <p>A data e a hora são as do momento em que ela for gravada.</p>
      <Form className="form" onSubmit={(event) => void submit(event)} validationBehavior="aria">
        {FIELDS.map(({ kind, field, missing }) => (
          <Picker
            key={field}
            kind={kind}
            chosen={chosen[field] ?? null}
            onChoose={(row) => {
              setChosen({ ...chosen, [field]: row });
              forget();
            }}
            error={refusal?.fields[field] ?? (tried && !chosen[field] ? missing : undefined)}
          />
        ))}
        <Attempt refusal={refusal} attempt={attempt} attempts={attempts} />
        <div className="actions">
          <Link className="button" to="/">
            Cancelar
          </Link>
          <Button type="submit" className="primary" isDisabled={attempt > 0}>
            {attempt ? 'Gravando…' : refusal?.kind === 'outage' ? 'Tentar de novo' : 'Criar'}
          </Button>
        </div>
      </Form>
    </>
  );
}
