// What could not be fetched. A field that is null without an error is something that no longer exists; with an error it
// is something that exists, perhaps, and is asked for again.
import { makeVar } from '@apollo/client';
import { useReactiveVar } from '@apollo/client/react';
import type { GraphQLFormattedError } from 'graphql';

/** The codes of the errors, by type, id and field: `Solicitacao:17.pessoa` → `UNAVAILABLE`. */
const unavailable = makeVar<ReadonlyMap<string, string>>(new Map());

/** How many seconds old the rows of services may be that are away, and whose rows come from the gateway's memory. */
export const stale = makeVar<Readonly<Record<string, number>>>({});

export function noteStale(services: unknown): void {
  const found = typeof services === 'object' && services !== null ? (services as Record<string, number>) : {};
  if (JSON.stringify(found) !== JSON.stringify(stale())) stale(found);
}

/**
 * Remembers the gaps of an answer, and forgets those that it fills. A gap is taken out of the answer, so that the cache
 * keeps what it knows from before. (Apollo's development build warns of a missing field then.)
 */
export function noteUnavailable(data: unknown, errors: readonly GraphQLFormattedError[]): void {
  if (!errors.length && !unavailable().size) return;
  const gaps = new Map(unavailable());
  visit(data, (key) => gaps.delete(key));
  for (const { path, extensions } of errors) {
    const parent = path?.slice(0, -1).reduce<unknown>((at, step) => (at as Record<string, unknown>)?.[step], data);
    const key = keyOf(parent);
    const field = path?.at(-1);
    if (!key || !field) continue;
    gaps.set(`${key}.${field}`, String(extensions?.code));
    delete (parent as Record<string, unknown>)[field];
  }
  unavailable(gaps);
}

/** A function that gives the code of the error at a field of an object, or undefined. */
export function useUnavailable(): (key: string, field: string) => string | undefined {
  const gaps = useReactiveVar(unavailable);
  return (key, field) => gaps.get(`${key}.${field}`);
}

function visit(value: unknown, seen: (key: string) => void): void {
  if (typeof value !== 'object' || value === null) return;
  const key = keyOf(value);
  for (const [field, inner] of Object.entries(value)) {
    if (key) seen(`${key}.${field}`);
    visit(inner, seen);
  }
}

function keyOf(value: unknown): string | undefined {
  const { __typename, id } = (value ?? {}) as { __typename?: string; id?: string };
  return __typename && id ? `${__typename}:${id}` : undefined;
}
