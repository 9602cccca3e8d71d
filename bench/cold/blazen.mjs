import { defineEvent, StartEvent, StopEvent, workflow } from '../../dist/index.js'

const Second = defineEvent('Second')
const Third = defineEvent('Third')
let ran = 0
const handler = workflow('cold')
  .step('first', { accepts: StartEvent, emits: Second }, async () => Second({ value: ++ran }))
  .step('second', { accepts: Second, emits: Third }, async () => Third({ value: ++ran }))
  .step('third', { accepts: Third, emits: StopEvent }, async () => StopEvent({ result: ++ran }))
  .run()
console.log(await handler.result())
