// Asks for an access token.
import { useApolloClient, useReactiveVar } from '@apollo/client/react';
import { useState, type FormEvent } from 'react';
import { Button, Form } from 'react-aria-components';
import { Field } from '../components/Field.tsx';
import { Title } from '../components/Title.tsx';
import { refused, signIn } from '../session.ts';

export function SignIn() {
  const client = useApolloClient();
  const turnedDown = useReactiveVar(refused);
  const [pasted, setPasted] = useState('');
  async function submit(event: FormEvent) {
    event.preventDefault();
    if (!pasted.trim()) return;
    await client.clearStore(); // what was shown to another token is not for this one
    signIn(pasted);
  }
  return (
    <>
      <Title text="Entrar" />
      <p>Este sistema pede um token de acesso. Ele fica guardado só nesta aba do navegador, até ela ser fechada.</p>
      <Form className="form" onSubmit={(event) => void submit(event)}>
        <Field
          label="Token de acesso"
          type="password"
          value={pasted}
          onChange={setPasted}
          placeholder="cole aqui o que `make token` escreve"
          error={turnedDown ? 'O token não vale, ou o seu prazo acabou. Cole outro.' : undefined}
          autoFocus
        />
        <Button type="submit" className="primary">
          Entrar
        </Button>
      </Form>
    </>
  );
}
