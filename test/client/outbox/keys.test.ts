import { afterEach, describe, expect, test, vi } from 'vitest'
import { newKey, storedMemberKey } from '../../../src/client/outbox/keys.js'

const isKey = /^[\w-]{22}$/
afterEach(() => vi.unstubAllGlobals())

function storage(...entries: [string, string][]) {
  const items = new Map(entries)
  vi.stubGlobal('document', {})
  vi.stubGlobal('sessionStorage', {
    getItem: (name: string) => items.get(name) ?? null,
    setItem: (name: string, value: string) => void items.set(name, value),
  })
  return items
}

describe('secret keys', () => {
  test('a new key is 16 random bytes as base64url', () => {
    const keys = new Set(Array.from({ length: 500 }, newKey))
    expect(keys.size).toBe(500)
    for (const key of keys) expect(key).toMatch(isKey)
    vi.stubGlobal('crypto', { getRandomValues: (bytes: Uint8Array) => bytes.fill(0xff) })
    expect(newKey()).toBe(Buffer.alloc(16, 0xff).toString('base64url'))
    vi.stubGlobal('crypto', { getRandomValues: (bytes: Uint8Array) => bytes.fill(0xfb) })
    expect(newKey()).toBe(Buffer.alloc(16, 0xfb).toString('base64url'))
  })

  test('the member key of a window is stored, and used again after a reload', () => {
    const items = storage()
    const key = storedMemberKey()
    expect([key, [...items.values()], storedMemberKey()]).toEqual([expect.stringMatching(isKey), [key], key])
  })

  test('a stored key of the wrong length is replaced', () => {
    const items = storage(['hereabouts:member', 'short'])
    const key = storedMemberKey()
    expect([key.length, items.get('hereabouts:member')]).toEqual([22, key])
  })

  test('a window without access to its storage has a key all the same', () => {
    vi.stubGlobal('document', {})
    vi.stubGlobal('sessionStorage', {
      getItem() {
        throw new DOMException('sandboxed', 'SecurityError')
      },
    })
    expect(storedMemberKey()).toMatch(isKey)
  })

  test('without a document, each client has a key of its own', () => {
    const items = storage()
    vi.stubGlobal('document', undefined)
    expect(storedMemberKey()).not.toBe(storedMemberKey())
    expect(items.size).toBe(0)
  })
})
