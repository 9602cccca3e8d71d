const units: readonly (readonly [unit: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
]

/** How far a time is from now: `3m ago`, `in 20s`. */
export function toAgo(at: number, now: number): string {
  const distance = Math.abs(now - at)
  const [unit, ms] = units.find(([, ms]) => distance >= ms) ?? []
  if (ms === undefined) return 'now'
  const length = `${Math.floor(distance / ms)}${unit}`
  return at <= now ? `${length} ago` : `in ${length}`
}

/** A time of this place: `2026-11-22 13:05:09`. */
export function toLocal(at: number): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return String(at)
  const two = (part: number) => String(part).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}
