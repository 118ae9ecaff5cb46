// How many solicitações there were: per day or week, per categoria and per serviço.
import type { ErrorLike } from '@apollo/client';
import { useApolloClient, useQuery } from '@apollo/client/react';
import { useEffect, useState } from 'react';
import { Label, Radio, RadioGroup } from 'react-aria-components';
import { useSearchParams } from 'react-router';
import { Field } from '../components/Field.tsx';
import { Notice } from '../components/Notice.tsx';
import { Outage } from '../components/Outage.tsx';
import { BarTable, Columns } from '../components/Plots.tsx';
import { Title } from '../components/Title.tsx';
import { UltimaDocument } from '../graphql/generated.ts';
import { bounds, summarize, type Step, type Summary } from '../summary.ts';
import { clock, counted, isoDay } from '../words.ts';

const AGAIN = 30_000; // milliseconds: the figures cost more than a list
const SOON = 5_000; // after a failure

export default function Resumo() {
  const [parameters, setParameters] = useSearchParams();
  const step: Step = parameters.get('passo') === 'semana' ? 'semana' : 'dia';
  const newest = useQuery(UltimaDocument, { fetchPolicy: 'cache-and-network', pollInterval: AGAIN });
  const last = (newest.data ?? newest.previousData)?.solicitacoes;
  const newestDay = isoDay(last?.nodes[0] ? new Date(last.nodes[0].dataSolicitacao) : new Date());
  const end = parameters.get('ate') ?? (last ? newestDay : '');
  const { summary, error, at } = useSummary(end, step);
  const choose = (name: string, value: string) => {
    const next = new URLSearchParams(parameters);
    if (value) next.set(name, value);
    else next.delete(name);
    setParameters(next);
  };
  return (
    <>
      <Title text="Resumo" />
      <form className="filters" aria-label="Período" onSubmit={(event) => event.preventDefault()}>
        <RadioGroup className="choice" value={step} onChange={(value) => choose('passo', value === 'dia' ? '' : value)}>
          <Label>Período</Label>
          <Radio value="dia">14 dias</Radio>
          <Radio value="semana">14 semanas</Radio>
        </RadioGroup>
        <Field label="Até o dia" type="date" value={end} onChange={(value) => choose('ate', value)} />
      </form>
      <Outage error={error ?? newest.error} shown={Boolean(summary)} />
      {summary ? (
        <>
          <p className="count" role="status">
            {counted(summary.total, 'solicitação', 'solicitações')} no período
            {last ? `, de ${counted(last.totalCount, 'uma só', 'ao todo')}` : ''} · às {clock(at)}
          </p>
          <div className="plots">
            <Columns title={step === 'dia' ? 'Por dia' : 'Por semana'} heading="Quando" bars={summary.time} />
            {summary.categorias ? (
              <BarTable title="Por categoria" heading="Categoria" bars={summary.categorias} />
            ) : (
              <Notice kind="info">Há produtos demais para contar por categoria.</Notice>
            )}
            {summary.servicos ? (
              <BarTable title="Por serviço" heading="Serviço" bars={summary.servicos} />
            ) : (
              <Notice kind="info">Há serviços demais para contar por serviço.</Notice>
            )}
          </div>
        </>
      ) : error ? null : (
        <p role="status">Contando…</p>
      )}
    </>
  );
}

/** The figures of a period, counted again from time to time. */
function useSummary(end: string, step: Step) {
  const client = useApolloClient();
  const [state, setState] = useState<{ summary?: Summary; error?: ErrorLike | undefined; at: Date }>({ at: new Date() });
  useEffect(() => {
    let timer = 0;
    let over = false;
    const days = bounds(end, step);
    const count = async () => {
      let pause = AGAIN;
      try {
        if (!document.hidden) {
          const summary = await summarize(client, days);
          if (!over) setState({ summary, at: new Date() });
        }
      } catch (failure) {
        pause = SOON;
        const error = failure instanceof Error ? failure : new Error(String(failure));
        if (!over) setState((before) => ({ ...before, error }));
      }
      if (!over) timer = window.setTimeout(() => void count(), pause);
    };
    if (days.length) void count();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [client, end, step]);
  return state;
}
