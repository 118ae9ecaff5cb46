// GraphiQL speaks only English, and its words are literals in its code. This Vite plugin replaces them while the page is
// built. A literal that a new version of GraphiQL no longer has stops the build, so that it is translated anew.

const TITLES = {
  Arguments: 'Argumentos',
  'Deprecated Arguments': 'Argumentos obsoletos',
  'Deprecated Enum Values': 'Valores obsoletos',
  'Deprecated Fields': 'Campos obsoletos',
  Directives: 'Diretivas',
  'Enum Values': 'Valores',
  Fields: 'Campos',
  Implements: 'Implementa',
  Implementations: 'Implementações',
  'Possible Types': 'Tipos possíveis',
  'Root Types': 'Tipos raiz',
  Type: 'Tipo',
  'All Schema Types': 'Todos os tipos',
};

/** The code to replace, by the file that has it. A key is code if it has a quote, else a string's content. */
const WORDS = {
  'graphiql/dist/GraphiQL.js': {
    'New tab': 'Nova aba',
    Show: 'Mostrar',
    Hide: 'Esconder',
    ' editor tools`': ' variáveis e cabeçalhos`',
    'Editor Commands': 'Comandos do editor',
    'Operation Editor': 'Editor da operação',
    Variables: 'Variáveis',
    Headers: 'Cabeçalhos',
    'Select active operation': 'Abas',
  },
  'graphiql/dist/ui/toolbar.js': {
    '`Prettify query (': '`Formatar a operação (',
    '`Merge fragments into query (': '`Juntar os fragmentos à operação (',
    '`Copy query (': '`Copiar a operação (',
  },
  'graphiql/dist/ui/sidebar.js': {
    '`Re-fetch GraphQL schema (': '`Buscar o esquema de novo (',
    'Open short keys dialog': 'Atalhos de teclado',
    'Open settings dialog': 'Configurações',
    '"Hide" : "Show"': '"Esconder" : "Mostrar"',
    'Short Keys': 'Atalhos de teclado',
    'This modal provides a list of available keyboard shortcuts and their functions.': 'Os atalhos de teclado e o que fazem.',
    Settings: 'Configurações',
    'This modal lets you adjust header persistence, interface theme, and clear local storage.':
      'O que se guarda dos cabeçalhos, as cores, e apagar o que este navegador guardou.',
    'Persist headers': 'Guardar os cabeçalhos',
    'Save headers upon reloading.': 'Para que continuem aí ao recarregar a página.',
    'Only enable if you trust this device.': 'Só em um aparelho de confiança.',
    On: 'Sim',
    Off: 'Não',
    Theme: 'Cores',
    'Adjust how the interface appears.': 'A aparência da página.',
    System: 'Do sistema',
    Light: 'Claras',
    Dark: 'Escuras',
    'Clear storage': 'Apagar o que foi guardado',
    'Remove all locally stored data and start fresh.': 'Apaga as abas e o histórico deste navegador, e recomeça.',
    'Cleared data': 'Apagado',
    Failed: 'Não deu certo',
    'Clear data': 'Apagar',
  },
  'graphiql/dist/ui/short-keys.js': {
    'Execute query': 'Executar a operação',
    'Open the Command Palette (you must have focus in the editor)': 'Todos os comandos (com o foco no editor)',
    'Prettify editors': 'Formatar os editores',
    'Copy query': 'Copiar a operação',
    'Re-fetch schema using introspection': 'Buscar o esquema de novo',
    'Search in documentation': 'Procurar na documentação',
    'Search in editor': 'Procurar no editor',
    'Merge fragments definitions into operation definition': 'Juntar os fragmentos à operação',
    'Short Key': 'Atalho',
    Function: 'O que faz',
    'This Graph': 'Este editor do Graph',
    'QL editor uses': 'QL usa',
    'Monaco editor shortcuts': 'os atalhos do editor Monaco',
    ', with keybindings similar to VS Code. See the full list of shortcuts for':
      ', parecidos com os do VS Code. A lista completa, para',
    or: 'ou',
  },
  '@graphiql/react/dist/components/execute-button/index.js': {
    '"Stop" : "Execute"': '"Parar" : "Executar"',
    '} query (': '} a operação (',
    '`<Unnamed ': '`<Sem nome: ',
  },
  '@graphiql/react/dist/components/dialog/index.js': { 'Close dialog': 'Fechar' },
  '@graphiql/react/dist/components/tabs/index.js': { 'Close Tab': 'Fechar a aba' },
  '@graphiql/react/dist/components/response-editor.js': { 'Result Window': 'Resposta' },
  '@graphiql/react/dist/utility/tabs.js': { '<untitled>': '<sem nome>' },
  '@graphiql/plugin-doc-explorer/dist/context.js': {
    'title: "Documentation Explorer"': 'title: "Documentação"',
    Docs: 'Documentação',
    '"Show Documentation Explorer"': '"Mostrar Documentação"',
  },
  '@graphiql/plugin-doc-explorer/dist/components/doc-explorer.js': {
    'Error fetching schema': 'O esquema não pôde ser buscado',
    'Schema is invalid: ': 'O esquema não é válido: ',
    'No GraphQL schema available': 'Não há esquema',
    '`Go back to ': '`Voltar a ',
    'Documentation Explorer': 'Documentação',
  },
  '@graphiql/plugin-doc-explorer/dist/components/search.js': {
    '`Search ': '`Procurar em ',
    'No results found': 'Nada foi encontrado',
    'Other results': 'Outros resultados',
  },
  '@graphiql/plugin-doc-explorer/dist/components/schema-documentation.js': {
    'A GraphQL schema provides a root type for each kind of operation.': 'Cada espécie de operação tem o seu tipo raiz.',
  },
  '@graphiql/plugin-doc-explorer/dist/components/section.js': {
    // A title also chooses its icon, so that it is translated where it is shown.
    '      title\n': `      ${JSON.stringify(TITLES)}[title] ?? title\n`,
  },
  '@graphiql/plugin-doc-explorer/dist/components/field-documentation.js': {
    'Show Deprecated Arguments': 'Mostrar os argumentos obsoletos',
  },
  '@graphiql/plugin-doc-explorer/dist/components/type-documentation.js': {
    'Show Deprecated Fields': 'Mostrar os campos obsoletos',
    'Show Deprecated Values': 'Mostrar os valores obsoletos',
  },
  '@graphiql/plugin-doc-explorer/dist/components/argument.js': { Deprecated: 'Obsoleto' },
  '@graphiql/plugin-doc-explorer/dist/components/deprecation-reason.js': { Deprecated: 'Obsoleto' },
  '@graphiql/plugin-history/dist/index.js': { History: 'Histórico' },
  '@graphiql/plugin-history/dist/components.js': {
    History: 'Histórico',
    Cleared: 'Apagado',
    'Failed to Clear': 'Não deu certo',
    Clear: 'Apagar',
    'Type a label': 'Escreva um nome',
    Save: 'Guardar',
    'Set active': 'Abrir',
    'Edit label': 'Dar um nome',
    'Remove favorite': 'Tirar dos favoritos',
    'Add favorite': 'Pôr nos favoritos',
    'Delete from history': 'Apagar do histórico',
  },
  '@graphiql/plugin-explorer/dist/index.js': { 'GraphiQL Explorer': 'Construtor de consultas' },
};

export const portuguese = {
  name: 'portuguese',
  transform(code, id) {
    const file = Object.keys(WORDS).find((one) => id.split('?')[0].endsWith(`/node_modules/${one}`));
    if (!file) return null;
    for (const [english, words] of Object.entries(WORDS[file])) {
      const isCode = /["`}\n]/.test(english);
      const [from, to] = isCode ? [english, words] : [JSON.stringify(english), JSON.stringify(words)];
      if (!code.includes(from)) this.error(`${file} has no ${from}: translate what stands there now`);
      code = code.replaceAll(from, to);
    }
    return { code, map: null };
  },
};
