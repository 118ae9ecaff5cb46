// A path that leads nowhere.
import { Link } from 'react-router';
import { Title } from '../components/Title.tsx';

export function NotFound() {
  return (
    <>
      <Title text="Não há nada aqui" />
      <p>
        O endereço não é de nenhuma página. <Link to="/">Voltar às solicitações</Link>
      </p>
    </>
  );
}
