import * as Effect from 'effect/Effect'
import * as Layer from 'effect/Layer'
import * as Schema from 'effect/Schema'
import * as Activity from 'effect/workflow/Activity'
import * as Workflow from 'effect/workflow/Workflow'
import * as WorkflowEngine from 'effect/workflow/WorkflowEngine'

const step = (name) => Activity.make({ name, success: Schema.Number, execute: Effect.promise(async () => 1) })
const workflow = Workflow.make('cold', {
  payload: { id: Schema.String },
  success: Schema.Number,
  idempotencyKey: ({ id }) => id,
})
const body = Effect.fnUntraced(function* () {
  return (yield* step('first')) + (yield* step('second')) + (yield* step('third'))
})
const layer = workflow.toLayer(body).pipe(Layer.provideMerge(WorkflowEngine.layerMemory))
console.log(await Effect.runPromise(workflow.execute({ id: 'one' }).pipe(Effect.provide(layer))))
