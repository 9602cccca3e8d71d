import type { AnyEvent, AnyEventType } from './event.ts'

/** In the type of a workflow: this step accepts events of this type. `Event` is the event type. */
export interface AcceptWire<Step extends string, Type extends string, Event = unknown> {
  readonly step: Step
  readonly accepts: Type
  readonly event: Event
}

/** In the type of a workflow: this step emits events of this type. `Event` is the event type it declares, or the event it returns. */
export interface EmitWire<Step extends string, Type extends string, Event = unknown> {
  readonly step: Step
  readonly emits: Type
  readonly event: Event
}

/** In the type of a workflow: this step does not say what it emits, so it may send anything. */
export interface OpenWire<Step extends string> {
  readonly step: Step
  readonly sends: unknown
}

/** In the type of a workflow: events of this type come from outside. */
export interface ExternalWire<Type extends string> {
  readonly external: Type
}

/** What a step accepts, and what it emits: what it declares or, where it does not, what its function returns. */
export type WiresOf<Step extends string, Accepts extends AnyEventType, Emits extends AnyEventType, Returned> =
  | AcceptsOf<Step, Accepts>
  | (AnyEventType extends Emits ? EmitsOf<Step, EventIn<Returned>> | OpenWire<Step> : EmitsOf<Step, Emits>)

type AcceptsOf<Step extends string, Event extends AnyEvent> = Event extends AnyEvent
  ? AcceptWire<Step, Event['type'], Event>
  : never

type EmitsOf<Step extends string, Event extends AnyEvent> = Event extends AnyEvent
  ? EmitsOfEach<Step, Event['type'], Event>
  : never

type EmitsOfEach<Step extends string, Type extends string, Event> = Type extends string
  ? EmitWire<Step, Type, Event>
  : never

/** The events in what a step returns. */
type EventIn<Returned> = unknown extends Returned
  ? AnyEvent
  : Extract<Returned extends readonly (infer Each)[] ? Each : Returned, AnyEvent>

/** What the `StopEvent`s of a step hold; `unknown` where the compiler cannot see which events it returns or sends. */
export type ResultOf<Emits extends AnyEventType, Returned> =
  StoppedBy<EventIn<Returned>> extends infer Result
    ? [Result] extends [never]
      ? AnyEventType extends Emits
        ? never
        : 'blazen::StopEvent' extends Emits['type']
          ? unknown
          : never
      : Result
    : never

type StoppedBy<Event> = Event extends { readonly type: 'blazen::StopEvent'; readonly result: infer Result }
  ? Result
  : Event extends AnyEvent
    ? string extends Event['type']
      ? keyof Event extends 'type'
        ? unknown
        : never
      : never
    : never

/** A sentence for everything that is wrong with how the steps are wired; never, where all is well. */
export type Problems<Wires> = unknown extends Wires ? never : ProblemsIn<Wires, AcceptedIn<Wires>, EmittedIn<Wires>>

type AcceptedIn<Wires> = Wires extends { readonly accepts: infer Type } ? Type : never

/** What is emitted or comes from outside; anything, as soon as one step does not say. */
type EmittedIn<Wires> =
  | 'blazen::StartEvent'
  | 'blazen::InputResponseEvent'
  | (Wires extends { readonly emits: infer Type }
      ? Type
      : Wires extends { readonly external: infer Type }
        ? Type
        : Wires extends { readonly sends: unknown }
          ? string
          : never)

type ProblemsIn<Wires, Accepted, Emitted> =
  Wires extends EmitWire<infer Step, infer Type>
    ? EmitProblem<Step, Type, Accepted>
    : Wires extends AcceptWire<infer Step, infer Type>
      ? AcceptProblem<Step, Type, Emitted>
      : never

type EmitProblem<Step extends string, Type extends string, Accepted> = Type extends 'blazen::StopEvent' | Accepted
  ? never
  : IsOpen<Type> extends true
    ? never
    : Type extends 'blazen::InputRequestEvent'
      ? 'blazen::InputResponseEvent' extends Accepted
        ? never
        : `Step "${Step}" emits InputRequestEvent, and no step accepts InputResponseEvent. Add a step that takes the answer.`
      : `Step "${Step}" emits "${Type}", which no step accepts. Add a step that accepts it.`

type AcceptProblem<Step extends string, Type extends string, Emitted> = Type extends
  | 'blazen::StopEvent'
  | 'blazen::InputRequestEvent'
  ? `Step "${Step}" accepts "${Type}", which reaches no step.`
  : Type extends Emitted
    ? never
    : IsOpen<Type> extends true
      ? never
      : `Step "${Step}" accepts "${Type}", which no step emits. Have a step emit it, or name it in the workflow's external.`

/** Whether a type is known only when the program runs, as for events that are defined in a loop. */
type IsOpen<Type extends string> = string extends Type ? true : object extends Record<Type, 1> ? true : false

/** `Value`, or the problems in its place: they stand in the compiler's error then. */
export type Checked<Problem extends string, Value> = [Problem] extends [never] ? Value : Problem
