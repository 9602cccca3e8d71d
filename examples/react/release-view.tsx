import { useEffect, useRef, useState } from 'react'
import type { Release } from './approval-workflow.ts'

/** What came out: the note, ready to be taken along. */
export function ReleaseView({ release }: { readonly release: Release }) {
  const { version, approved, sentBack, signedBy, markdown } = release
  const [isCopied, setCopied] = useState(false)
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [])
  const copy = async () => {
    await navigator.clipboard.writeText(markdown)
    setCopied(true)
  }
  return (
    <section className="card release">
      <p className="eyebrow">Signed by {signedBy}</p>
      <h2 ref={heading} tabIndex={-1}>
        Documents of {version}
      </h2>
      <p className="sum">
        {approved.length} approved, {sentBack.length} sent back.
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard. */}
      <pre tabIndex={0}>{markdown}</pre>
      <button type="button" className="quiet" onClick={copy}>
        {isCopied ? 'Copied' : 'Copy the note'}
      </button>
    </section>
  )
}
