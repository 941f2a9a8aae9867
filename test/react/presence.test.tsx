// @vitest-environment jsdom
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { CellLocation, RoomTypesWith } from 'hereabouts'
import type { LocationHooks } from 'hereabouts/react'
import { fakeRoom, type FakeRoom } from 'hereabouts/testing'
import { act, StrictMode, type ComponentType, type ReactNode } from 'react'
import { createRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { root as repository, writeSnippets } from '../support/snippets.js'

/* useSetPresence, and the typing indicator whose code is in docs/presence.md. */

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

type Types = RoomTypesWith<{
  location: CellLocation
  presence: { typing?: true; pointer?: { x: number; y: number } | null }
}>

// Inside the test folder, because Vitest resolves imports from there.
const folder = mkdtempSync(join(repository, 'test/react/.presence-'))
afterAll(() => rmSync(folder, { recursive: true }))

let hooks: LocationHooks<Types>
let page: { Message: ComponentType; Typing: ComponentType }
beforeAll(async () => {
  const load = <M,>(file: string) => import(/* @vite-ignore */ join(folder, file)) as Promise<M>
  const files = writeSnippets(folder, ['docs/presence.md'])
  hooks = await load(files.find((file) => file.endsWith('locations.ts'))!)
  page = await load(files.find((file) => file.endsWith('.tsx'))!)
})

let fake: FakeRoom<Types>
let root: ReturnType<typeof createRoot>
let shown: HTMLElement
beforeEach(async () => {
  fake = await fakeRoom<Types>({ others: { ada: { profile: { name: 'Ada' } } } })
  shown = document.createElement('main')
  document.body.append(shown)
  root = createRoot(shown)
})
afterEach(async () => {
  await act(async () => root.unmount())
  shown.remove()
  await fake.close()
})
const show = (children: ReactNode) =>
  act(async () =>
    root.render(
      <hooks.RoomProvider client={fake.client} room={fake.room.id}>
        {children}
      </hooks.RoomProvider>,
    ),
  )

test('useSetPresence returns a stable function that changes our presence value by key', async () => {
  const seen = new Set<unknown>()
  function Own() {
    const setPresence = hooks.useSetPresence()
    seen.add(setPresence)
    return (
      <>
        <button aria-label="type" onClick={() => setPresence({ typing: true })} />
        <button aria-label="point" onClick={() => setPresence({ pointer: { x: 1, y: 1 } })} />
        <button aria-label="stop" onClick={() => setPresence({ typing: undefined })} />
        {JSON.stringify(hooks.useSelf((self) => self.presence))}
      </>
    )
  }
  await show(<Own />)
  const buttons = [...shown.querySelectorAll('button')]
  for (const text of ['{"typing":true}', '{"typing":true,"pointer":{"x":1,"y":1}}', '{"pointer":{"x":1,"y":1}}']) {
    await act(async () => buttons.shift()!.click())
    expect(JSON.parse(shown.textContent)).toEqual(JSON.parse(text))
  }
  await act(() => fake.room.flush())
  expect(fake.posts.at(-1)?.presence).toEqual({ pointer: { x: 1, y: 1 } })
  expect(seen.size).toBe(1)
})

test('useSetPresence throws an error that names `watch` inside a provider with `watch`', () => {
  function Own() {
    hooks.useSetPresence()
    return null
  }
  const watching = (
    <hooks.RoomProvider client={fake.client} room={fake.room.id} watch>
      <Own />
    </hooks.RoomProvider>
  )
  expect(() => renderToString(watching)).toThrow('`watch`')
})

test('a component that selects presence values is rendered again when they change, but not when a member moves', async () => {
  const rendered = vi.fn<() => void>()
  function Typing() {
    rendered()
    return hooks.useOthers((others) => others.filter(({ presence }) => presence.typing).length)
  }
  await show(<Typing />)
  await act(() => fake.setsPresence('ada', { typing: true }))
  expect(shown.textContent).toBe('1')
  rendered.mockClear()
  await act(() => fake.moves('ada', { sheet: 'Q3', row: 1, col: 1 }))
  await act(() => fake.setsPresence('ada', { typing: true, pointer: { x: 1, y: 1 } }))
  expect(rendered).not.toHaveBeenCalled()
})

test('the typing indicator of docs/presence.md names the members who are typing', async () => {
  await show(<page.Typing />)
  expect(shown.textContent).toBe('')
  await act(() => fake.setsPresence('ada', { typing: true }))
  expect(shown.textContent).toBe('Typing: Ada')
  await act(() => fake.setsPresence('ada', {}))
  expect(shown.textContent).toBe('')
})

test('the message field of docs/presence.md posts `typing`, and removes it on blur, when unmounted and after three seconds', async () => {
  const typing = () => fake.room.self?.presence.typing
  const input = () => act(async () => field().dispatchEvent(new InputEvent('input', { bubbles: true })))
  const field = () => shown.querySelector('textarea')!
  await show(
    <StrictMode>
      <page.Message />
    </StrictMode>,
  )
  expect(typing()).toBeUndefined()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  await input()
  expect(typing()).toBe(true)
  vi.advanceTimersByTime(2_999)
  await input()
  vi.advanceTimersByTime(2_999)
  expect(typing()).toBe(true)
  vi.advanceTimersByTime(1)
  vi.useRealTimers()
  expect(typing()).toBeUndefined()
  await input()
  await act(async () => field().dispatchEvent(new FocusEvent('focusout', { bubbles: true })))
  expect(typing()).toBeUndefined()
  await input()
  expect(typing()).toBe(true)
  await show(null)
  expect(typing()).toBeUndefined()
})
