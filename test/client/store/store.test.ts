import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createStore } from '../../../src/client/store/store.js'
import { LocationError } from '../../../src/shared/errors.js'

describe('a listener', () => {
  const error = new LocationError('network', 'for the test')
  const opened = () => {
    const reported: unknown[] = []
    return { reported, store: createStore(new Date(0), (thrown) => reported.push(thrown)) }
  }

  test('the rejection of an async listener is reported, both of an event and of a subscription', async () => {
    const { reported, store } = opened()
    const failing = async () => Promise.reject(error)
    store.on('error', failing)
    store.emit('error', { error })
    store.subscribe(failing)
    await turn()
    expect(reported).toEqual([error, error])
  })

  test('a listener that removes and adds itself during an event is called once', () => {
    const { store } = opened()
    let calls = 0
    let off = () => {}
    const again = () => {
      if (++calls > 10) throw new Error('endless')
      off()
      off = store.on('error', again)
    }
    off = store.on('error', again)
    store.emit('error', { error })
    expect(calls).toBe(1)
  })

  test('a listener that was removed during an event is not called any more', () => {
    const { store } = opened()
    let calls = 0
    store.on('error', () => off())
    const off = store.on('error', () => calls++)
    store.emit('error', { error })
    expect(calls).toBe(0)
  })
})
