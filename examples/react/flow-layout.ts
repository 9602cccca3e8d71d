import { computeEdges, type Flow, type Place } from 'blazen-xstate/machines'

/** A place of the flow, where it is drawn; `x` and `y` are its middle. */
export interface PlacedNode {
  readonly id: string
  readonly place: Place
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface PlacedEdge {
  readonly id: string
  readonly from: string
  readonly to: string
  readonly type: string
  /** What stands on it, and where its middle is. */
  readonly label: { readonly text: string; readonly x: number; readonly y: number }
  /** The `d` of an SVG path. */
  readonly path: string
}

export interface FlowLayout {
  readonly width: number
  readonly height: number
  readonly nodes: readonly PlacedNode[]
  readonly edges: readonly PlacedEdge[]
}

/** A node, or a bend of an edge that passes a layer. */
interface Item {
  readonly id: string
  readonly place?: Place
  readonly width: number
  readonly layer: number
  x: number
}

interface Wire {
  readonly id: string
  readonly from: string
  readonly to: string
  readonly type: string
  /** Ids of the items that it leads over, from its beginning to its end. */
  readonly way: string[]
}

const nodeHeight = 42
const layerGap = 50
const itemGap = 14
const margin = 8

/**
 * Places a flow from top to bottom: each step below those that lead to it, and arrows that lead back beside the rest.
 * Enough for a dozen steps.
 */
export function layOut(flow: Flow): FlowLayout {
  const edges = computeEdges(flow).map(({ from, to, type }) => ({ from: toId(from), to: toId(to), type }))
  const places = new Map<string, Place>()
  for (const { from, to } of computeEdges(flow)) places.set(toId(from), from).set(toId(to), to)
  const layers = computeLayers([...places.keys()], edges)

  const items = new Map<string, Item>()
  for (const [id, place] of places)
    items.set(id, { id, place, layer: layers.get(id) ?? 0, width: widthOf(place), x: 0 })
  const wires = edges.map((edge): Wire => {
    const id = `${edge.from} ${edge.type} ${edge.to}`
    const begin = layers.get(edge.from) ?? 0
    const end = layers.get(edge.to) ?? 0
    const step = Math.sign(end - begin)
    const bends: string[] = []
    for (let layer = begin + step; layer !== end; layer += step) {
      const isMiddle = bends.length === Math.floor((Math.abs(end - begin) - 1) / 2)
      const bend = { id: `${id} ${layer}`, layer, width: isMiddle ? labelWidth(edge.type) : 12, x: 0 }
      items.set(bend.id, bend)
      bends.push(bend.id)
    }
    return { ...edge, id, way: [edge.from, ...bends, edge.to] }
  })

  spread(items, wires)
  return draw(items, wires)
}

type Edge = Pick<Wire, 'from' | 'to' | 'type'>

/** How far down each place stands: one below the lowest of those that lead to it, without those that lead back. */
function computeLayers(ids: readonly string[], edges: readonly Edge[]): Map<string, number> {
  const forward: Edge[] = []
  const state = new Map<string, 'open' | 'done'>()
  const order: string[] = []
  const visit = (id: string) => {
    state.set(id, 'open')
    for (const edge of edges) {
      if (edge.from !== id || state.get(edge.to) === 'open') continue
      forward.push(edge)
      if (!state.has(edge.to)) visit(edge.to)
    }
    state.set(id, 'done')
    order.unshift(id)
  }
  for (const id of ids) if (!state.has(id)) visit(id)

  const layers = new Map<string, number>(ids.map((id) => [id, 0]))
  for (const id of order)
    for (const { from, to } of forward)
      if (from === id) layers.set(to, Math.max(layers.get(to) ?? 0, (layers.get(id) ?? 0) + 1))
  return layers
}

/** Orders each layer by where its neighbours stand, and gives each item its `x`. */
function spread(items: ReadonlyMap<string, Item>, wires: readonly Wire[]): void {
  const rows: Item[][] = []
  for (const item of items.values()) {
    const row = (rows[item.layer] ??= [])
    row.push(item)
  }
  const neighbours = new Map<Item, Item[]>([...items.values()].map((item) => [item, []]))
  for (const { way } of wires) {
    for (let at = 1; at < way.length; at++) {
      const [one, other] = [items.get(way[at - 1] ?? ''), items.get(way[at] ?? '')]
      if (one === undefined || other === undefined) continue
      neighbours.get(one)?.push(other)
      neighbours.get(other)?.push(one)
    }
  }
  const meanOf = (item: Item, isNeighbour: (other: Item) => boolean): number => {
    const near = (neighbours.get(item) ?? []).filter(isNeighbour)
    return near.length === 0 ? item.x : near.reduce((sum, { x }) => sum + x, 0) / near.length
  }

  for (const row of rows) pack(row, new Map())
  for (let round = 0; round < 8; round++) {
    const isDown = round % 2 === 0
    for (const row of isDown ? rows : [...rows].reverse()) {
      const wanted = new Map(
        row.map((item) => [item, meanOf(item, ({ layer }) => (isDown ? layer < item.layer : layer > item.layer))]),
      )
      row.sort((one, other) => (wanted.get(one) ?? 0) - (wanted.get(other) ?? 0))
      pack(row, wanted)
    }
  }
}

/** Puts a row side by side, as near as can be to where each item wants to be. */
function pack(row: readonly Item[], wanted: ReadonlyMap<Item, number>): void {
  let edge = Number.NEGATIVE_INFINITY
  let drift = 0
  for (const item of row) {
    const wish = wanted.get(item) ?? 0
    item.x = Math.max(wish, edge + itemGap + item.width / 2)
    edge = item.x + item.width / 2
    drift += item.x - wish
  }
  for (const item of row) item.x -= drift / row.length
}

function draw(items: ReadonlyMap<string, Item>, wires: readonly Wire[]): FlowLayout {
  const all = [...items.values()]
  const left = Math.min(...all.map(({ x, width }) => x - width / 2)) - margin
  const right = Math.max(...all.map(({ x, width }) => x + width / 2)) + margin
  const yOf = (layer: number) => margin + nodeHeight / 2 + layer * (nodeHeight + layerGap)
  const at = (id: string): Item => items.get(id) as Item

  /** Where a wire meets a node: those that meet it on one side stand side by side. */
  const portOf = (wire: Wire, node: Item, next: Item): number => {
    const isAbove = next.layer < node.layer
    const met = wires.flatMap((other) => {
      const ends = [
        [other.way[0], other.way[1]],
        [other.way.at(-1), other.way.at(-2)],
      ]
      return ends.flatMap(([end, beside]) => {
        if (end !== node.id || beside === undefined || at(beside).layer < node.layer !== isAbove) return []
        return [{ other, x: at(beside).x }]
      })
    })
    met.sort((one, other) => one.x - other.x)
    const place = met.findIndex(({ other }) => other === wire)
    return node.x + (place - (met.length - 1) / 2) * Math.min(26, (node.width * 0.7) / met.length)
  }

  const edges = wires.map((wire): PlacedEdge => {
    const way = wire.way.map(at)
    const points = way.map((item, index): [number, number] => {
      const beside = index === 0 ? way[1] : index === way.length - 1 ? way[index - 1] : undefined
      if (beside === undefined) return [item.x - left, yOf(item.layer)]
      const side = beside.layer < item.layer ? -1 : 1
      return [portOf(wire, item, beside) - left, yOf(item.layer) + (side * nodeHeight) / 2]
    })
    const [[x0, y0] = [0, 0], ...rest] = points
    let path = `M${round(x0)} ${round(y0)}`
    let [px, py] = [x0, y0]
    for (const [x, y] of rest) {
      const middle = (py + y) / 2
      path += `C${round(px)} ${round(middle)} ${round(x)} ${round(middle)} ${round(x)} ${round(y)}`
      ;[px, py] = [x, y]
    }
    return { ...wire, path, label: { text: toLabel(wire.type), ...labelPoint(points) } }
  })
  const nodes = all.flatMap(({ id, place, x, width, layer }): PlacedNode[] =>
    place === undefined ? [] : [{ id, place, x: round(x - left), y: yOf(layer), width, height: nodeHeight }],
  )
  const lowest = Math.max(...all.map(({ layer }) => yOf(layer)))
  return { width: round(right - left), height: lowest + nodeHeight / 2 + margin, nodes, edges }
}

/** On the bend in the middle, or, between two nodes, nearer to where it leads: edges part there. */
function labelPoint(points: readonly [number, number][]): { x: number; y: number } {
  const [[x0, y0] = [0, 0], [x1, y1] = [0, 0]] = points
  if (points.length === 2) return { x: round(x0 + (x1 - x0) * 0.55), y: round(y0 + (y1 - y0) * 0.52) }
  const [x, y] = points[1 + Math.floor((points.length - 2) / 2)] ?? [0, 0]
  return { x: round(x), y: round(y) }
}

export function toId(place: Place): string {
  return typeof place === 'object' ? `step:${place.step}` : place
}

function toLabel(type: string): string {
  return type.replace(/^blazen::/, '').replace(/Event$/, '')
}

function labelWidth(type: string): number {
  return toLabel(type).length * 6.4 + 10
}

function widthOf(place: Place): number {
  if (typeof place === 'object') return 118
  return place === 'person' ? 104 : 72
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
