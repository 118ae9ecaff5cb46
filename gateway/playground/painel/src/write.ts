// Mutations: each is sent under an Idempotency-Key, is retried under the same key, and ends in one of three ways.
import { CombinedGraphQLErrors, type OperationVariables, type TypedDocumentNode } from '@apollo/client';
import { useApolloClient } from '@apollo/client/react';
import { useRef, useState } from 'react';
import type { CodigoErro } from './graphql/generated.ts';

/** What every mutation's field is called here, by an alias, and what it answers. */
export interface Written<Item> {
  feito: {
    item: Item | null;
    errors: ReadonlyArray<{ code: CodigoErro; field: string | null; message: string }>;
  } | null;
}

export interface Refusal {
  /** Messages by the field that they are about. */
  fields: Record<string, string>;
  /** What is about no field, in a sentence. */
  whole: string;
  /** `mistake`: the input is wrong. `conflict`: somebody else was faster. `outage`: nobody could answer. */
  kind: 'mistake' | 'conflict' | 'outage';
}

const PAUSES = [1000, 2000, 4000]; // milliseconds before each retry

/** A function that writes, the refusal of the last attempt, and how many times it has been retried while it is under way. */
export function useWrite<Item, Variables extends OperationVariables>(
  document: TypedDocumentNode<Written<Item>, Variables>,
) {
  const client = useApolloClient();
  const [refusal, setRefusal] = useState<Refusal>();
  const [attempt, setAttempt] = useState(0);
  // The key belongs to what is written: the same content again is a retry, other content is another write.
  const last = useRef({ content: '', key: '' });

  async function attempted(variables: Variables): Promise<Item | Refusal> {
    try {
      const { data } = await client.mutate<Written<Item>, OperationVariables>({
        mutation: document as TypedDocumentNode<Written<Item>, OperationVariables>,
        variables,
        context: { headers: { 'Idempotency-Key': last.current.key } },
      });
      if (data?.feito?.item) return data.feito.item;
      return refusalOf(data?.feito?.errors ?? []);
    } catch (failure) {
      return failed(failure);
    }
  }

  async function write(variables: Variables): Promise<Item | undefined> {
    const content = JSON.stringify(variables);
    if (last.current.content !== content) last.current = { content, key: newKey() };
    setRefusal(undefined);
    for (let n = 0; ; n++) {
      setAttempt(n + 1);
      const result = await attempted(variables);
      const pause = PAUSES[n];
      if (isRefusal(result) && result.kind === 'outage' && pause) {
        await new Promise((resume) => setTimeout(resume, pause));
        continue;
      }
      setAttempt(0);
      if (!isRefusal(result)) {
        last.current = { content: '', key: '' };
        return result;
      }
      setRefusal(result);
      return undefined;
    }
  }

  return { write, refusal, attempt, attempts: PAUSES.length + 1, forget: () => setRefusal(undefined) };
}

function isRefusal(result: unknown): result is Refusal {
  return typeof result === 'object' && result !== null && 'kind' in result && 'fields' in result;
}

function refusalOf(errors: NonNullable<Written<unknown>['feito']>['errors']): Refusal {
  const kinds = errors.map(({ code }) => kindOf(code));
  const of = (field: string | null) => field !== null && field !== 'id';
  return {
    fields: Object.fromEntries(errors.filter(({ field }) => of(field)).map(({ field, message }) => [field, message])),
    whole: errors.filter(({ field }) => !of(field)).map(({ message }) => message).join('; '),
    kind: kinds.find((kind) => kind !== 'mistake') ?? (errors.some(isGone) ? 'conflict' : 'mistake'),
  };
}

/** The row itself, and not something that it refers to, does not exist any more. */
function isGone({ code, field }: { code: CodigoErro; field: string | null }): boolean {
  return code === 'NOT_FOUND' && !(field !== null && field !== 'id');
}

/** A code that the schema gets later does not compile here until it has a case. */
function kindOf(code: CodigoErro): Refusal['kind'] {
  switch (code) {
    case 'CONFLICT':
    case 'PRECONDITION_FAILED':
    case 'IDEMPOTENCY_KEY_REUSED':
      return 'conflict';
    case 'CONTENDED':
    case 'IN_PROGRESS':
      return 'outage';
    case 'BLANK':
    case 'CONTRADICTION':
    case 'INVALID':
    case 'INVALID_CHARACTER':
    case 'INVALID_CHOICE':
    case 'INVALID_CURSOR':
    case 'INVALID_ID':
    case 'LIMIT_EXCEEDED':
    case 'NOT_AN_INTEGER':
    case 'NOT_AN_OBJECT':
    case 'NOT_A_BOOLEAN':
    case 'NOT_A_DATE':
    case 'NOT_A_DATETIME':
    case 'NOT_A_DECIMAL':
    case 'NOT_A_LIST':
    case 'NOT_A_STRING':
    case 'NOT_FOUND':
    case 'NULL':
    case 'OUT_OF_RANGE':
    case 'READ_ONLY':
    case 'REPEATED_PARAMETER':
    case 'REQUIRED':
    case 'TOO_FEW':
    case 'TOO_LONG':
    case 'TOO_MANY':
    case 'UNKNOWN_FIELD':
    case 'UNKNOWN_PARAMETER':
      return 'mistake';
    default:
      return code satisfies never;
  }
}

/** What a top-level error says, or a request that got no answer. */
function failed(failure: unknown): Refusal {
  const [error] = CombinedGraphQLErrors.is(failure) ? failure.errors : [];
  switch (error?.extensions?.code) {
    case 'BAD_USER_INPUT':
    case 'LIMIT_EXCEEDED':
    case 'FORBIDDEN':
    case 'UNAUTHENTICATED':
    case 'NOT_FOUND':
      return { fields: {}, whole: error?.message ?? '', kind: 'mistake' };
    case 'CONFLICT':
      return { fields: {}, whole: error?.message ?? '', kind: 'conflict' };
    default:
      return { fields: {}, whole: error?.message ?? 'o gateway não respondeu', kind: 'outage' };
  }
}

/** A random key. (`crypto.randomUUID` exists only where the page comes by HTTPS or from this machine.) */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `painel-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
