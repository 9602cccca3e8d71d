import { access, readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'

/** A document, and the root folder of the package that it belongs to. Absolute paths. */
export interface FoundFile {
  path: string
  root: string
}

export interface FileList {
  files: FoundFile[]
  /** Folders that could not be listed, with the reason. */
  unreadable: { path: string; reason: string }[]
}

export interface ListOptions {
  /** Says of a file's name whether the file is wanted. */
  matches: (name: string) => boolean
  /** A folder to leave out. */
  skip: string
  signal: AbortSignal
}

/**
 * The wanted files under a folder. Installed packages and `.git` are left out, unless the folder lies in them;
 * links to folders are not followed.
 *
 * @throws Error when there is no such folder.
 */
export async function listFiles(folder: string, options: ListOptions): Promise<FileList> {
  await assertFolder(folder)
  const skippedNames = ['node_modules', '.git'].filter((name) => !folder.split(sep).includes(name))
  const list: FileList = { files: [], unreadable: [] }

  async function walk(current: string, outerRoot: string): Promise<void> {
    options.signal.throwIfAborted()
    let children: Awaited<ReturnType<typeof readFolder>>
    try {
      children = await readFolder(current)
    } catch (error) {
      list.unreadable.push({ path: current, reason: reasonOf(error) })
      return
    }
    const root = children.some(isRootMark) ? current : outerRoot
    for (const child of children) {
      const path = join(current, child.name)
      if (!child.isDirectory()) {
        if (options.matches(child.name)) list.files.push({ path, root })
      } else if (path !== options.skip && !skippedNames.includes(child.name)) {
        await walk(path, root)
      }
    }
  }

  await walk(folder, await findRoot(folder))
  return list
}

/** The text of a file. Rejects when there is none, or when it is not UTF-8. */
export async function readText(path: string, signal: AbortSignal): Promise<string> {
  return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path, { signal }))
}

/** Whether there is a file or folder at a path. */
export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** What went wrong with a file, in one line, without its path. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.replace(/, \w+( '.*)?$/s, '')
}

function readFolder(folder: string) {
  return readdir(folder, { withFileTypes: true })
}

function isRootMark({ name }: { name: string }): boolean {
  return name === 'package.json' || name === '.git'
}

async function assertFolder(folder: string): Promise<void> {
  const stats = await stat(folder).catch((cause: unknown) => {
    throw new Error(`The folder ${folder} cannot be read (${reasonOf(cause)}): name one that exists.`, { cause })
  })
  if (!stats.isDirectory()) throw new Error(`${folder} is a file: name the folder that holds the documents.`)
}

/** The nearest folder, from this one outward, that holds a package or a repository; else the folder itself. */
async function findRoot(folder: string): Promise<string> {
  for (let current = folder; ; current = dirname(current)) {
    if ((await exists(join(current, 'package.json'))) || (await exists(join(current, '.git')))) return current
    if (current === dirname(current)) return folder
  }
}
