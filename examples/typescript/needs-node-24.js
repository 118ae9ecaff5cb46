// Says that Node is too old, which would otherwise end with a stack at the first .ts file.
if (!process.features.typescript) {
  console.error(`É preciso o Node 24, que executa TypeScript como está; este é o ${process.version}, em ${process.execPath}.`);
  process.exit(1);
}
