// The four kinds of rows that people add, rename and delete: their words, their operations, and their scope.
import type { TypedDocumentNode } from '@apollo/client';
import * as graphql from './graphql/generated.ts';
import type { Written } from './write.ts';

export interface Row {
  id: string;
  nome: string;
  categoria?: { id: string; nomeCategoria: string } | null;
}

export interface Rows {
  itens: {
    totalCount: number;
    pageInfo: { hasNextPage: boolean; endCursor: string | null };
    edges: ReadonlyArray<{ cursor: string; node: Row }>;
  } | null;
}

/** What follows from deleting a row. */
export interface Follows {
  item: { solicitacoes?: { totalCount: number } | null; produtos?: { totalCount: number } | null } | null;
  solicitacoes?: { totalCount: number } | null;
}

type Filter = graphql.PessoaFilter & graphql.ServicoFilter & graphql.ProdutoFilter & graphql.CategoriaFilter;
/** `categoriaId` is for produtos; the operations of the other kinds have no such variable, and it is ignored. */
interface Input {
  nome: string;
  categoriaId: string;
}

export interface Kind {
  path: 'pessoas' | 'servicos' | 'produtos' | 'categorias';
  plural: string;
  singular: string;
  feminine: boolean;
  /** The service that owns the rows, as scopes name it. */
  owner: 'pessoas' | 'servicos' | 'catalogo';
  /** The GraphQL type of the rows, and their field in a SolicitacaoFilter. */
  type: 'Pessoa' | 'Servico' | 'Produto' | 'Categoria';
  rows: TypedDocumentNode<Rows, { first: number; after?: string | null; filter?: Filter | null }>;
  containing: (text: string) => Filter;
  changes: TypedDocumentNode<unknown, Record<string, never>>;
  follows: TypedDocumentNode<Follows, { id: string }>;
  create: TypedDocumentNode<Written<Row>, Input>;
  update: TypedDocumentNode<Written<Row>, Input & { id: string }>;
  remove: TypedDocumentNode<Written<{ id: string }>, { id: string }>;
}

export const pessoas: Kind = {
  path: 'pessoas',
  plural: 'pessoas',
  singular: 'pessoa',
  feminine: true,
  owner: 'pessoas',
  type: 'Pessoa',
  rows: graphql.PessoasDocument,
  containing: (contains) => ({ nomePessoa: { contains } }),
  changes: graphql.PessoaMudouDocument,
  follows: graphql.ExcluirPessoaSegueDocument,
  create: graphql.CriarPessoaDocument,
  update: graphql.AtualizarPessoaDocument,
  remove: graphql.ExcluirPessoaDocument,
};

export const servicos: Kind = {
  path: 'servicos',
  plural: 'serviços',
  singular: 'serviço',
  feminine: false,
  owner: 'servicos',
  type: 'Servico',
  rows: graphql.ServicosDocument,
  containing: (contains) => ({ nomeServico: { contains } }),
  changes: graphql.ServicoMudouDocument,
  follows: graphql.ExcluirServicoSegueDocument,
  create: graphql.CriarServicoDocument,
  update: graphql.AtualizarServicoDocument,
  remove: graphql.ExcluirServicoDocument,
};

export const produtos: Kind = {
  path: 'produtos',
  plural: 'produtos',
  singular: 'produto',
  feminine: false,
  owner: 'catalogo',
  type: 'Produto',
  rows: graphql.ProdutosDocument,
  containing: (contains) => ({ nomeProduto: { contains } }),
  changes: graphql.ProdutoMudouDocument,
  follows: graphql.ExcluirProdutoSegueDocument,
  create: graphql.CriarProdutoDocument,
  update: graphql.AtualizarProdutoDocument,
  remove: graphql.ExcluirProdutoDocument,
};

export const categorias: Kind = {
  path: 'categorias',
  plural: 'categorias',
  singular: 'categoria',
  feminine: true,
  owner: 'catalogo',
  type: 'Categoria',
  rows: graphql.CategoriasDocument,
  containing: (contains) => ({ nomeCategoria: { contains } }),
  changes: graphql.CategoriaMudouDocument,
  follows: graphql.ExcluirCategoriaSegueDocument,
  create: graphql.CriarCategoriaDocument,
  update: graphql.AtualizarCategoriaDocument,
  remove: graphql.ExcluirCategoriaDocument,
};

export const kinds = [pessoas, servicos, produtos, categorias];
