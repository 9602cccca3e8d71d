import architecture from '../../ARCHITECTURE.md?raw'
import context from '../../docs/context.md?raw'
import durability from '../../docs/durability.md?raw'
import react from '../../docs/react.md?raw'
import stepsAndEvents from '../../docs/steps-and-events.md?raw'
import streamingAndPeople from '../../docs/streaming-and-people.md?raw'
import readme from '../../README.md?raw'
import { toSections } from './review-document.ts'

/** What may be approved: documents of this repository, as Vite has bundled them. */
export const documents: ReadonlyMap<string, string> = new Map([
  ['README.md', readme],
  ['ARCHITECTURE.md', architecture],
  ['docs/context.md', context],
  ['docs/durability.md', durability],
  ['docs/react.md', react],
  ['docs/steps-and-events.md', stepsAndEvents],
  ['docs/streaming-and-people.md', streamingAndPeople],
])

/** For the list of documents to choose from. */
export const library = [...documents].map(([name, text]) => ({
  name,
  sections: toSections(text).length,
  words: text.split(/\s+/).length,
}))
