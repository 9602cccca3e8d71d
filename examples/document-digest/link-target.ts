import { join } from 'node:path'

/** Where a link leads: `relative` is a file beside the document, `anchor` a place in it. */
export type LinkKind = 'relative' | 'anchor' | 'mail' | 'web' | 'other'

/** Where a document lies: what relative links in it start from. Absolute paths, both. */
export interface DocumentPlace {
  /** The document's own folder, where `guide.md` and `./guide.md` start. */
  folder: string
  /** The root folder of its package, where `/guide.md` starts. */
  root: string
}

const SCHEME = /^([a-z][a-z\d+.-]*):/i

/** The kind of a link's destination, as it is written in the document. */
export function kindOfLink(url: string): LinkKind {
  const scheme = SCHEME.exec(url)?.[1]?.toLowerCase()
  if (scheme === 'mailto') return 'mail'
  if (scheme === 'http' || scheme === 'https' || url.startsWith('//')) return 'web'
  if (scheme !== undefined) return 'other'
  return pathOfLink(url) === '' ? 'anchor' : 'relative'
}

/** The absolute path of the file or folder that a relative link names, without its query and fragment. */
export function toTargetPath(url: string, place: DocumentPlace): string {
  const path = decodePath(pathOfLink(url))
  return join(path.startsWith('/') ? place.root : place.folder, path)
}

function pathOfLink(url: string): string {
  return url.replace(/[?#].*$/s, '')
}

/** Encoding that is no encoding (`100%.md`) is a name like any other. */
function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
