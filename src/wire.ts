import type { AnyEvent, AnyEventType } from './event.ts'

/** In the type of a workflow: this step accepts events of this type. */
export interface AcceptWire<Step extends string, Type extends AnyEventType> {
  readonly step: Step
  readonly accepts: Type['type']
}

/** In the type of a workflow: this step returns events of this type. */
export interface EmitWire<Step extends string, Type extends string> {
  readonly step: Step
  readonly emits: Type
}

/** What a step emits: what its function returns, and what it declares. */
export type EmitWires<Step extends string, Emits extends AnyEventType, Returned> =
  | EmitsOf<Step, TypeIn<Returned>>
  | (AnyEventType extends Emits ? never : EmitsOf<Step, Emits['type']>)

type EmitsOf<Step extends string, Type extends string> = Type extends string ? EmitWire<Step, Type> : never

/** The types of the events in what a step returns. */
type TypeIn<Returned> = EventIn<Returned>['type']

type EventIn<Returned> = Extract<Returned extends readonly (infer Each)[] ? Each : Returned, AnyEvent>

/** What the `StopEvent`s in what a step returns hold. */
export type ResultOf<Returned> =
  EventIn<Returned> extends infer Event
    ? Event extends { readonly type: 'blazen::StopEvent'; readonly result: infer Result }
      ? Result
      : never
    : never

/** A sentence for every step that returns an event which no step accepts; never, where all is well. */
export type Problems<Wires> = UnacceptedBy<Wires, AcceptedIn<Wires>>

type AcceptedIn<Wires> = Wires extends { readonly accepts: infer Type extends string } ? Type : never

type UnacceptedBy<Wires, Accepted extends string> =
  Wires extends EmitWire<infer Step, infer Type>
    ? IsOpen<Type> extends true
      ? never
      : Type extends Accepted | 'blazen::StopEvent' | 'blazen::InputRequestEvent'
        ? never
        : `Step "${Step}" returns "${Type}", which no step accepts. Add a step that accepts it.`
    : never

/** Whether a type is known only when the program runs, as for events that are defined in a loop. */
type IsOpen<Type extends string> = string extends Type ? true : object extends Record<Type, 1> ? true : false

/** `Value`, or the problems in its place: they stand in the compiler's error then. */
export type Checked<Problem extends string, Value> = [Problem] extends [never] ? Value : Problem
