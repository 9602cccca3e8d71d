import { expect, test } from 'vitest'
import { ClassRegistry } from '../src/class-codec.ts'
import { persist, read, revive } from '../src/codec.ts'
import { storeFailure } from '../src/failure.ts'

const classes = new ClassRegistry()
const roundTrip = (thrown: unknown): unknown =>
  read(revive(JSON.parse(JSON.stringify(persist(storeFailure(thrown, classes)))), classes))

test('an error that can be kept is kept as it is', () => {
  expect(roundTrip(Object.assign(new TypeError('x'), { code: 'E' }))).toEqual(
    Object.assign(new TypeError('x'), { code: 'E' }),
  )
})

test('an error that holds something live is kept without it, and says so', () => {
  const cause = Object.assign(new RangeError('socket'), { socket: { write: () => 1 }, port: 80 })
  const error = Object.assign(new TypeError('request failed', { cause }), { code: 'E1', request: { send: () => 1 } })
  const back = Object(roundTrip(error))
  expect(back).toBeInstanceOf(TypeError)
  expect([back.message, back.stack, back.code, back.omitted, 'request' in back]).toEqual([
    'request failed',
    error.stack,
    'E1',
    ['request'],
    false,
  ])
  expect(back.cause).toBeInstanceOf(RangeError)
  expect([back.cause.message, back.cause.port, back.cause.omitted]).toEqual(['socket', 80, ['socket']])
})

test('whatever is thrown can be told', () => {
  const hostile = new Proxy(
    {},
    {
      getPrototypeOf: () => {
        throw new Error('trap')
      },
    },
  )
  const endless = new Error('endless')
  Object.assign(endless, { cause: endless, fn: () => 1 })
  expect(roundTrip('text')).toBe('text')
  expect(roundTrip(Symbol('s'))).toEqual(new Error('Symbol(s)'))
  expect(roundTrip(hostile)).toEqual(new Error('an error that cannot be read'))
  expect(roundTrip(endless)).toMatchObject({ message: 'endless', omitted: ['fn'] })
})
