// Plots that are tables too: a bar beside each figure, or columns over the days.
import { useState } from 'react';
import { Button } from 'react-aria-components';
import type { Bar } from '../summary.ts';
import { number } from '../words.ts';

const SHOWN = 10;

interface Properties {
  title: string;
  heading: string;
  bars: Bar[];
}

/** Rows, each with a bar; the longest are shown first, and all on request. */
export function BarTable({ title, heading, bars }: Properties) {
  const [all, setAll] = useState(false);
  const longest = Math.max(1, ...bars.map(({ count }) => count));
  return (
    <section className="plot">
      <h2>{title}</h2>
      <table className="bars">
        <thead className="hidden">
          <tr>
            <th scope="col">{heading}</th>
            <th scope="col">Solicitações</th>
          </tr>
        </thead>
        <tbody>
          {(all ? bars : bars.slice(0, SHOWN)).map(({ name, count }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                <svg aria-hidden="true" viewBox="0 0 100 10" preserveAspectRatio="none">
                  <rect width={(100 * count) / longest} height="10" />
                </svg>
                <span>{number(count)}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {bars.length > SHOWN ? (
        <Button className="quiet" onPress={() => setAll(!all)}>
          {all ? 'Só os dez maiores' : `Todos os ${number(bars.length)}`}
        </Button>
      ) : null}
      {bars.length ? null : <p className="empty">Nenhuma solicitação neste período.</p>}
    </section>
  );
}

/** Columns over time. */
export function Columns({ title, heading, bars }: Properties) {
  const highest = Math.max(1, ...bars.map(({ count }) => count));
  return (
    <section className="plot wide">
      <h2>{title}</h2>
      <table className="columns">
        <thead className="hidden">
          <tr>
            <th scope="col">{heading}</th>
            <th scope="col">Solicitações</th>
          </tr>
        </thead>
        <tbody>
          {bars.map(({ name, count }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                <span>{number(count)}</span>
                <svg aria-hidden="true" viewBox="0 0 10 100" preserveAspectRatio="none">
                  <rect y={100 - (100 * count) / highest} width="10" height={(100 * count) / highest} />
                </svg>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
