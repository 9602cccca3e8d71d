import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What the compiler says of each source, which stands in `test/` under the house's own settings, as far as it can tell. */
export function checkTypes(sources: readonly string[]): string[][] {
  const files = new Map(sources.map((source, index) => [`${root}test/checked-${index}.ts`, source]))
  const config = ts.getParsedCommandLineOfConfigFile(`${root}tsconfig.json`, {}, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: ({ messageText }) => {
      throw new Error(flatten(messageText))
    },
  } as ts.ParseConfigFileHost)
  const host = ts.createCompilerHost(config?.options ?? {})
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (name) => files.has(name) || fileExists(name)
  host.readFile = (name) => files.get(name) ?? readFile(name)
  host.getSourceFile = (name, options, ...rest) => {
    const source = files.get(name)
    return source === undefined
      ? getSourceFile(name, options, ...rest)
      : ts.createSourceFile(name, source, options, true)
  }
  const program = ts.createProgram([...files.keys()], config?.options ?? {}, host)
  return [...files.keys()].map((name) => {
    const file = program.getSourceFile(name)
    const diagnostics = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
    return diagnostics.map(({ messageText, start = 0 }) => {
      const line = file?.getLineAndCharacterOfPosition(start).line ?? 0
      return `${line + 1}: ${flatten(messageText)}`
    })
  })
}

function flatten(message: string | ts.DiagnosticMessageChain): string {
  return ts.flattenDiagnosticMessageText(message, '\n')
}

export interface TypeCheck {
  readonly problems: readonly string[]
  /** Of all threads together: what else the machine does is not in it. */
  readonly cpuMs: number
}

// As a process of its own, it checks the source that it reads, and says what that took.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const source = await text(process.stdin)
  const begin = process.cpuUsage()
  const [problems = []] = checkTypes([source])
  const { user, system } = process.cpuUsage(begin)
  const result: TypeCheck = { problems, cpuMs: (user + system) / 1_000 }
  process.stdout.write(JSON.stringify(result))
}
