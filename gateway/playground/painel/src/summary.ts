// The figures of the summary. They are exact, and cost a bounded number of requests to the services: one for each bar of
// the first plot, and two for each thousand produtos and serviços, however many solicitações there are.
import type { ApolloClient, TypedDocumentNode } from '@apollo/client';
import {
  SolicitacoesPorPeriodoDocument,
  SolicitacoesPorProdutoDocument,
  SolicitacoesPorServicoDocument,
  type SolicitacaoFilter,
} from './graphql/generated.ts';
import { dayOf, isoDay, midnight } from './words.ts';

export const BARS = 14; // as many as the operation has counts
export type Step = 'dia' | 'semana';
const DAYS = { dia: 1, semana: 7 };
const PAGE = 1000;
const PAGES = 10; // more than ten thousand produtos or serviços are not counted one by one

export interface Bar {
  name: string;
  count: number;
}

export interface Summary {
  total: number;
  time: Bar[];
  /** Null where there are too many rows to count. */
  categorias: Bar[] | null;
  servicos: Bar[] | null;
}

/** The days at which the bars begin, and the one after the last, for the period that ends with the day `end`. */
export function bounds(end: string, step: Step): Date[] {
  const days = DAYS[step];
  return Array.from({ length: BARS + 1 }, (_, n) => midnight(end, 1 - (BARS - n) * days)).filter((day) => day !== undefined);
}

export async function summarize(client: ApolloClient, days: Date[]): Promise<Summary> {
  const [first, last] = [days[0], days[BARS]];
  if (!first || !last) throw new RangeError('not a day');
  const periodo = between(first, last);
  const filters = Object.fromEntries(days.slice(0, -1).map((day, n) => [`d${n}`, between(day, days[n + 1] ?? last)]));
  const [time, produtos, servicos] = await Promise.all([
    client.query({ query: SolicitacoesPorPeriodoDocument, variables: filters, fetchPolicy: 'no-cache' }),
    everyPage(client, SolicitacoesPorProdutoDocument, periodo, (data) => data.produtos),
    everyPage(client, SolicitacoesPorServicoDocument, periodo, (data) => data.servicos),
  ]);
  const counts = time.data as Record<string, { totalCount: number } | null> | undefined;
  const bars = days.slice(0, -1).map((day, n) => ({ name: nameOf(day, days[n + 1] ?? last), count: counts?.[`d${n}`]?.totalCount ?? 0 }));
  const total = bars.reduce((sum, { count }) => sum + count, 0);
  return {
    total,
    time: bars,
    categorias: produtos && grouped(produtos.map((one) => [one.categoria.nomeCategoria, one.solicitacoes]), total, 'produto que não existe mais'),
    servicos: servicos && grouped(servicos.map((one) => [one.nomeServico, one.solicitacoes]), total, 'serviço que não existe mais'),
  };
}

function between(from: Date, until: Date): SolicitacaoFilter {
  return { dataSolicitacao: { gte: from.toISOString(), lt: until.toISOString() } };
}

function nameOf(from: Date, until: Date): string {
  const last = new Date(until.getTime() - 1);
  return isoDay(from) === isoDay(last) ? dayOf(from) : `${dayOf(from)} a ${dayOf(last)}`;
}

interface PageOf<Node> {
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
  nodes: Node[];
}
interface PageVariables {
  first: number;
  after?: string | null;
  periodo?: SolicitacaoFilter | null;
}

/** The rows of all pages; null if there are more than PAGES. */
async function everyPage<Data, Node>(
  client: ApolloClient,
  query: TypedDocumentNode<Data, PageVariables>,
  periodo: SolicitacaoFilter,
  pageOf: (data: Data) => PageOf<Node> | null,
): Promise<Node[] | null> {
  const nodes: Node[] = [];
  let after: string | null = null;
  for (let n = 0; n < PAGES; n++) {
    const variables: PageVariables = { first: PAGE, after, periodo };
    const { data } = await client.query<Data, PageVariables>({ query, variables, fetchPolicy: 'no-cache' });
    const page = data && pageOf(data as Data);
    if (!page) throw new Error('a página não veio');
    nodes.push(...page.nodes);
    if (!page.pageInfo.hasNextPage) return nodes;
    after = page.pageInfo.endCursor;
  }
  return null;
}

/** The sums by name, largest first. What is missing from the total belongs to what no longer exists. */
function grouped(counts: [string, { totalCount: number } | null][], total: number, gone: string): Bar[] {
  const sums = new Map<string, number>();
  for (const [name, count] of counts) sums.set(name, (sums.get(name) ?? 0) + (count?.totalCount ?? 0));
  const bars = [...sums].map(([name, count]) => ({ name, count })).filter(({ count }) => count);
  const rest = total - bars.reduce((sum, { count }) => sum + count, 0);
  bars.sort((one, other) => other.count - one.count || one.name.localeCompare(other.name, 'pt-BR'));
  return rest > 0 ? [...bars, { name: gone, count: rest }] : bars;
}
