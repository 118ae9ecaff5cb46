// A look-ahead field: what is typed is searched for by the service that owns the rows, whatever the accents.
import { useQuery } from '@apollo/client/react';
import { useEffect, useState } from 'react';
import { Button, ComboBox, FieldError, Input, Label, ListBox, ListBoxItem, Popover } from 'react-aria-components';
import type { Kind, Row } from '../kinds.ts';
import { capital } from '../words.ts';
import { useSettled } from '../settled.ts';

const OFFERED = 20;

interface Properties {
  kind: Kind;
  chosen: Row | null;
  onChoose: (row: Row | null) => void;
  error?: string | undefined;
}

export function Picker({ kind, chosen, onChoose, error }: Properties) {
  const [text, setText] = useState(chosen?.nome ?? '');
  useEffect(() => setText(chosen?.nome ?? ''), [chosen]);
  const searched = useSettled(text.trim() === chosen?.nome ? '' : text.trim());
  const filter = searched ? kind.containing(searched) : null;
  const { data, previousData, error: failure } = useQuery(kind.rows, {
    variables: { first: OFFERED, filter },
    fetchPolicy: 'cache-and-network',
  });
  const found = (data ?? previousData)?.itens?.edges.slice(0, OFFERED).map(({ node }) => node) ?? [];
  // The field empties itself on leaving it if what is chosen is not among what it offers.
  const offered = chosen && !found.some(({ id }) => id === chosen.id) ? [chosen, ...found] : found;

  return (
    <ComboBox
      className="field picker"
      items={offered}
      inputValue={text}
      onInputChange={(typed) => {
        setText(typed);
        if (!typed && chosen) onChoose(null);
      }}
      selectedKey={chosen?.id ?? null}
      onSelectionChange={(key) => {
        const row = offered.find(({ id }) => id === key);
        if (row) setText(row.nome);
        if (row?.id !== chosen?.id) onChoose(row ?? null);
      }}
      menuTrigger="focus"
      allowsEmptyCollection
      isInvalid={Boolean(error)}
      validationBehavior="aria"
    >
      <Label>{capital(kind.singular)}</Label>
      <div className="combo">
        <Input placeholder="digite para procurar" />
        <Button aria-label={`Mostrar ${kind.plural}`}>▾</Button>
      </div>
      <FieldError>{error}</FieldError>
      <Popover className="popover">
        <ListBox<Row>
          className="options"
          renderEmptyState={() => (
            <p className="empty">
              {failure ? `A busca de ${kind.plural} não respondeu; tente de novo.` : `Nada com “${searched}”.`}
            </p>
          )}
        >
          {(row) => (
            <ListBoxItem id={row.id} textValue={row.nome} className="option">
              {row.nome}
              {row.categoria ? <small>{row.categoria.nomeCategoria}</small> : null}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </ComboBox>
  );
}
