import { type ReactNode, useEffect, useState } from 'react'

const lock = 'blazen-xstate approval'

/** Shows its children in one tab at a time: two that go on with one run would both do its work. */
export function OnlyTab({ children }: { readonly children: ReactNode }) {
  // Pages that are not served securely have no locks.
  const [isOurs, setOurs] = useState(navigator.locks === undefined)
  const [isLate, setLate] = useState(false)

  useEffect(() => {
    if (navigator.locks === undefined) return
    const leave = new AbortController()
    const untilLeft = new Promise<void>((resolve) => leave.signal.addEventListener('abort', () => resolve()))
    const hold = () => {
      setOurs(true)
      return untilLeft
    }
    // Rejects where the component goes before the lock has come.
    navigator.locks.request(lock, { signal: leave.signal }, hold).catch(() => {})
    const timer = setTimeout(() => setLate(true), 500)
    return () => {
      clearTimeout(timer)
      leave.abort()
    }
  }, [])

  if (isOurs) return children
  return (
    <p className="elsewhere" role="status">
      {isLate && 'The approval desk is open in another tab. Close it there, and it goes on here.'}
    </p>
  )
}
