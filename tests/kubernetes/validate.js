// Lets the model of each resource judge its values: `node validate.js 0.ts 1.ts …` prints `0.ts: what is wrong`.
for (const file of process.argv.slice(2)) {
  try {
    const { model } = await import(`./${file}`);
    model.validate();
  } catch (error) {
    console.log(`${file}: ${error.message}`);
  }
}
