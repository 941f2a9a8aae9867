import { describe, expect, test } from 'vitest'
import { lazyImport } from '../../src/client/lazy-import.js'
import { deferred, settled } from '../support/servers/memory-server.js'

describe('code that is loaded on demand', () => {
  const loading = () => {
    const code = deferred<string>()
    const calls: string[] = []
    const open = (kind: string) => {
      calls.push(kind)
      return () => void calls.push(`close ${kind}`)
    }
    const close = lazyImport(code.promise, open, () => open('fallback'))
    return { code, calls, close }
  }
  const gone = new Error('A deploy removed this chunk.')

  test('what was closed while its code loaded is not opened', async () => {
    const { code, calls, close } = loading()
    close()
    code.resolve('module')
    await settled()
    expect(calls).toEqual([])
  })

  test('what was closed before its code could not be loaded does not use the fallback', async () => {
    const { code, calls, close } = loading()
    close()
    code.reject(gone)
    await settled()
    expect(calls).toEqual([])
  })

  test('what was opened with the loaded code is closed once', async () => {
    const { code, calls, close } = loading()
    code.resolve('module')
    await settled()
    close()
    expect(calls).toEqual(['module', 'close module'])
  })

  test('the fallback is used when the code cannot be loaded, and is closed, too', async () => {
    const { code, calls, close } = loading()
    code.reject(gone)
    await settled()
    close()
    expect(calls).toEqual(['fallback', 'close fallback'])
  })
})
