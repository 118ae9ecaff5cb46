// Numbers, instants and counted nouns, as people write them in Brazil.
const NUMBER = new Intl.NumberFormat('pt-BR');
const INSTANT = new Intl.DateTimeFormat('pt-BR', { dateStyle: 'short', timeStyle: 'short' });
const LONG = new Intl.DateTimeFormat('pt-BR', { dateStyle: 'full', timeStyle: 'medium' });
const DAY = new Intl.DateTimeFormat('pt-BR', { day: '2-digit', month: '2-digit' });
const CLOCK = new Intl.DateTimeFormat('pt-BR', { timeStyle: 'medium' });

export const number = (value: number) => NUMBER.format(value);
export const instant = (text: string) => INSTANT.format(new Date(text));
export const longInstant = (text: string) => LONG.format(new Date(text));
export const dayOf = (date: Date) => DAY.format(date);
export const clock = (date: Date) => CLOCK.format(date);
export const counted = (count: number, one: string, many: string) => `${number(count)} ${count === 1 ? one : many}`;
export const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** A day as `<input type="date">` spells it, in this browser's time zone. */
export function isoDay(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** The first instant of a day, some days later, in this browser's time zone; undefined if `day` is no day. */
export function midnight(day: string, later = 0): Date | undefined {
  const [, year, month, date] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day) ?? [];
  if (!year) return undefined;
  const found = new Date(Number(year), Number(month) - 1, Number(date) + later);
  return Number.isNaN(found.getTime()) ? undefined : found;
}
