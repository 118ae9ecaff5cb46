// Says that something could not be read, whether older data is shown instead, and that the page goes on asking.
import { CombinedGraphQLErrors, type ErrorLike } from '@apollo/client';
import { Notice } from './Notice.tsx';

export function Outage({ error, shown }: { error: ErrorLike | undefined; shown: boolean }) {
  if (!error) return null;
  const [first] = CombinedGraphQLErrors.is(error) ? error.errors : [];
  const code = first?.extensions?.code;
  if (code === 'UNAUTHENTICATED') return null; // the page asks for a token
  if (code === 'FORBIDDEN') return <Notice kind="mistake">O seu token não permite ver isto.</Notice>;
  if (code === 'BAD_USER_INPUT' || code === 'LIMIT_EXCEEDED')
    return <Notice kind="mistake">Não foi possível: {first?.message}.</Notice>;
  return (
    <Notice kind="outage">
      <strong>Sem resposta agora.</strong> {first ? `${first.message}.` : 'O gateway não respondeu.'}{' '}
      {shown ? 'O que se vê é de antes; ' : ''}o painel continua tentando.
    </Notice>
  );
}
