/**
 * Runs an example by its number or its name; without either, lists them.
 *
 *     npm run example
 *     npm run example 3
 *     npm run example fan-out-fan-in
 */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const names = readdirSync(fileURLToPath(new URL('.', import.meta.url)))
  .filter((file) => /^\d\d-.*\.ts$/.test(file))
  .map((file) => file.replace(/\.ts$/, ''))
  .sort()

const wanted = process.argv[2]
const name = wanted === undefined ? undefined : names.find((each) => isCalled(each, wanted))

if (name !== undefined) {
  const { main }: { main: () => Promise<void> } = await import(`./${name}.ts`)
  await main()
} else {
  if (wanted !== undefined) {
    console.error(`There is no example "${wanted}".`)
    process.exitCode = 1
  }
  console.log(`npm run example <number or name>\n\n${names.map((each) => `  ${each}`).join('\n')}`)
}

/** Whether `03-fan-out-fan-in` is meant by `3`, `03`, `fan-out-fan-in` or its whole name. */
function isCalled(example: string, wanted: string): boolean {
  const [number = '', ...words] = example.split('-')
  const plain = wanted.replace(/\.ts$/, '')
  return [example, number, String(Number(number)), words.join('-')].includes(plain)
}
