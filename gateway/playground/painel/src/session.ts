// Who uses the page: the access token, and what its scopes allow. Without AUTH_MODE=jwt everybody may do everything.
import { makeVar } from '@apollo/client';
import { useReactiveVar } from '@apollo/client/react';

// The gateway writes both attributes into the page.
const { auth, scopeClaims = '' } = document.body.dataset;
export const asksForToken = auth === 'jwt';
const STORED = 'token'; // GraphiQL's name too: one token serves both pages until the browser's tab is closed

export const token = makeVar(asksForToken ? (sessionStorage.getItem(STORED) ?? '') : '');
export const refused = makeVar(false);

export function signIn(pasted: string): void {
  const plain = pasted.trim().replace(/^bearer +/i, '');
  sessionStorage.setItem(STORED, plain);
  refused(false);
  token(plain);
}

export function signOut(): void {
  sessionStorage.removeItem(STORED);
  token('');
}

/** A function that says whether the token's scopes allow something, such as `pessoas:write`. */
export function useAllowed(): (scope: string) => boolean {
  const scopes = scopesOf(useReactiveVar(token));
  return (scope) => !asksForToken || scopes.has(scope);
}

/** The scopes of a token, read without verifying it: this decides only what is offered. The services verify. */
function scopesOf(plain: string): Set<string> {
  try {
    const payload = plain.split('.')[1] ?? '';
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (one) => one.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return new Set(scopeClaims.split(' ').flatMap((path) => words(claim(claims, path))));
  } catch {
    return new Set(); // it is no token; the gateway says so
  }
}

/** The claim with this name, or at this path of names with dots. */
function claim(claims: unknown, path: string): unknown {
  if (typeof claims !== 'object' || claims === null) return undefined;
  const members = claims as Record<string, unknown>;
  if (path in members) return members[path];
  for (let dot = path.indexOf('.'); dot > 0; dot = path.indexOf('.', dot + 1)) {
    const inner = members[path.slice(0, dot)];
    if (typeof inner === 'object' && inner !== null) return claim(inner, path.slice(dot + 1));
  }
  return undefined;
}

function words(value: unknown): string[] {
  const list: unknown[] = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [];
  return list.filter((one) => typeof one === 'string');
}
