import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

const machines = sourcesIn('machines')
const src = sourcesIn('src')
/** The concepts of the API; a folder in `src/` is an entry of the package. */
const concepts = src.filter((file) => dirname(file) === 'src')

/** What each file imports, types included: files of ours by their path from the root, and packages by their name. */
const imports = new Map([...machines, ...src].map((file) => [file, importsOf(file)]))

test('every import of a file leads to a file', () => {
  expect(
    [...imports].flatMap(([file, all]) =>
      all
        .filter(isOurs)
        .filter((to) => !imports.has(to))
        .map((to) => [file, to]),
    ),
  ).toEqual([])
})

test('machines import xstate, immer and each other', () => {
  const allowed = (to: string) => to === 'xstate' || to === 'immer' || to.startsWith('machines/')
  expect(offences(machines, (to) => !allowed(to))).toEqual([])
})

test('the API imports no entry of the package, and machines only as a whole', () => {
  const allowed = (to: string) => !isOurs(to) || to === 'machines/index.ts' || dirname(to) === 'src'
  expect(offences(concepts, (to) => !allowed(to))).toEqual([])
})

test('the main entry runs anywhere, on the declared dependencies alone', () => {
  const declared = Object.keys({ ...dependencies, ...peerDependencies })
  const entry = closureOf('src/index.ts')
  expect(entry.size).toBeGreaterThan(10)
  expect(offences(entry, (to) => !isOurs(to) && !declared.includes(toPackage(to)))).toEqual([])
  expect(offences(entry, (to) => to.startsWith('node:') || ['react', 'zod'].includes(toPackage(to)))).toEqual([])
})

test('no import leads back to where it came from, types included', () => {
  expect(findCycles()).toEqual([])
})

test('every file has the name of a concept', () => {
  const vague = /^(utils?|types?|helpers?|constants?|internals?|common|misc|shared)\.tsx?$/
  const all = ['machines', 'src', 'examples', 'test'].flatMap(sourcesIn)
  expect(all.filter((file) => vague.test(basename(file)))).toEqual([])
})

test('every file fits a few screens', () => {
  const all = ['machines', 'src', 'examples'].flatMap(sourcesIn)
  expect(all.filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length > 400)).toEqual([])
})

/** `from -> to` for each import that must not be. */
function offences(files: Iterable<string>, isOffence: (to: string) => boolean): string[] {
  return [...files].flatMap((file) => (imports.get(file) ?? []).filter(isOffence).map((to) => `${file} -> ${to}`))
}

function findCycles(): string[] {
  const cycles: string[] = []
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
    if (done.has(file) || path.includes(file)) return
    for (const to of imports.get(file)?.filter(isOurs) ?? []) visit(to, [...path, file])
    done.add(file)
  }
  for (const file of imports.keys()) visit(file, [])
  return cycles
}

function closureOf(entry: string): Set<string> {
  const reached = new Set([entry])
  // A Set goes on with what is added while it is walked.
  for (const file of reached) for (const to of imports.get(file) ?? []) if (isOurs(to)) reached.add(to)
  return reached
}

function importsOf(file: string): string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(root, file), 'utf8'), true, true)
  return importedFiles.map(({ fileName }) => (fileName.startsWith('.') ? join(dirname(file), fileName) : fileName))
}

function isOurs(to: string): boolean {
  return to.startsWith('machines/') || to.startsWith('src/')
}

function toPackage(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

/** Paths from the root of all TypeScript files in a folder. */
function sourcesIn(folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !file.includes('.blocks'))
}
