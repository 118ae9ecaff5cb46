// A part of a solicitação: its name, perhaps from before; or that it was deleted; or that it cannot be fetched now.
import { useUnavailable } from '../unavailable.ts';

interface Properties {
  of: { __typename?: string; id: string };
  field: 'pessoa' | 'servico' | 'produto';
  name: string | undefined;
  id: string;
}

export function Part({ of, field, name, id }: Properties) {
  const code = useUnavailable()(`Solicitacao:${of.id}`, field);
  if (name !== undefined && code) {
    return (
      <>
        {name} <small className="missing unavailable">(de antes; indisponível agora)</small>
      </>
    );
  }
  if (name !== undefined) return <>{name}</>;
  if (code === 'FORBIDDEN') return <span className="missing">sem permissão para ver</span>;
  if (code) return <span className="missing unavailable">indisponível agora</span>;
  return <span className="missing">não existe mais (id {id})</span>;
}
