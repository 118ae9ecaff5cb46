// Solicitações of which a part could not be fetched are asked for again; what arrives reaches the view through the cache.
import { useQuery } from '@apollo/client/react';
import { IncompletasDocument, type LinhaFragment } from './graphql/generated.ts';
import { live } from './live.ts';
import { useUnavailable } from './unavailable.ts';

const PARTS = ['pessoa', 'servico', 'produto'];
const MOST = 1000; // of one page

export function useFillGaps(rows: LinhaFragment[]): void {
  const unavailable = useUnavailable();
  const hasGap = (id: string) =>
    PARTS.some((part) => {
      const code = unavailable(`Solicitacao:${id}`, part);
      return code !== undefined && code !== 'FORBIDDEN';
    });
  const ids = rows.map(({ id }) => id).filter(hasGap).slice(0, MOST);
  useQuery(IncompletasDocument, {
    variables: { ids },
    skip: !ids.length,
    fetchPolicy: 'network-only',
    ...live(false),
    context: {}, // it asks for some of the rows only
  });
}
