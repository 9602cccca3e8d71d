let ran = 0
const to = (type) => async () => {
  ran++
  return type
}
const steps = new Map([
  ['start', to('second')],
  ['second', to('third')],
  ['third', to('stop')],
])
for (let type = 'start'; type !== 'stop'; ) type = await steps.get(type)()
console.log(ran)
