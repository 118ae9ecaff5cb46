// What became of a write: under way, refused, in conflict, or without an answer.
import { counted } from '../words.ts';
import type { Refusal } from '../write.ts';
import { Notice } from './Notice.tsx';

const HEADINGS = { mistake: 'Confira o que foi preenchido.', conflict: 'Conflito: outra pessoa foi mais rápida.', outage: 'Sem resposta.' };
const ADVICE = {
  mistake: '',
  conflict: 'Veja o que está gravado agora antes de repetir.',
  outage: 'Nada do que foi preenchido se perdeu. Pode tentar de novo quantas vezes quiser: será gravado uma vez só.',
};

interface Properties {
  refusal: Refusal | undefined;
  attempt: number;
  attempts: number;
}

export function Attempt({ refusal, attempt, attempts }: Properties) {
  if (attempt > 1) {
    const left = counted(attempts - attempt, 'tentativa', 'tentativas');
    return <Notice kind="info">Ainda sem resposta; tentando de novo (resta{attempts - attempt === 1 ? '' : 'm'} {left}).</Notice>;
  }
  if (!refusal) return null;
  return (
    <Notice kind={refusal.kind}>
      <strong>{HEADINGS[refusal.kind]}</strong> {refusal.whole ? `${refusal.whole}. ` : ''}
      {ADVICE[refusal.kind]}
    </Notice>
  );
}
