// The positions of what this page has written. Sent with later questions, they make each process of a system that keeps
// rows in memory (CACHE=on) answer with these writes.
const HEADER = 'Read-After';
const positions = new Map<string, { epoch: string; seq: number }>();

/** Adds what this page has written to the headers of a question. */
export function askAfterWrites(headers: Headers): void {
  const written = [...positions].map(([service, { epoch, seq }]) => `${service}:${epoch}:${seq}`);
  if (written.length) headers.set(HEADER, written.join(','));
}

/** Remembers the positions in an answer: `<service>:<epoch>:<number>`, separated by commas. */
export function noteWrites(headers: Headers): void {
  for (const position of headers.get(HEADER)?.split(',') ?? []) {
    const [service, epoch, number] = position.trim().split(':');
    if (!service || !epoch) continue;
    const known = positions.get(service);
    const seq = Number(number);
    if (known?.epoch !== epoch || known.seq < seq) positions.set(service, { epoch, seq });
  }
}
