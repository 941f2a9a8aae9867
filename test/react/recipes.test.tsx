// @vitest-environment jsdom
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { CellLocation, GetLocationsOutput } from 'hereabouts'
import type { LocationHooks } from 'hereabouts/react'
import { fakeRoom, manualClock, type FakeRoom } from 'hereabouts/testing'
import { act, type ComponentType, type ReactNode } from 'react'
import { createRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { root as repository, writeSnippets } from '../support/snippets.js'
import type { CellTypes } from '../support/cell-types.js'

/*
 * Runs the code of docs/recipes.md: each component in a room where other members do what the test says.
 * (test/house/docs.test.ts checks that the code compiles.)
 */
Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

// Inside the test folder, because Vitest resolves imports from there.
const folder = mkdtempSync(join(repository, 'test/react/.recipes-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The components that docs/recipes.md exports, and their props. */
type Recipes = {
  Cell: ComponentType<{ row: number; col: number }>
  Faces: ComponentType
  Cursor: ComponentType<{ memberId: string }>
  Jump: ComponentType<{ memberId: string; scrollTo(row: number): void }>
  Line: ComponentType
  WaitingPage: ComponentType
  ToldPage: ComponentType<{ initial: GetLocationsOutput<CellTypes> }>
}
let recipes: Recipes
let hooks: LocationHooks<CellTypes>
beforeAll(async () => {
  const files = writeSnippets(folder, ['docs/recipes.md']).map((file) => join(folder, file))
  const load = (file: string) => import(/* @vite-ignore */ file) as Promise<object>
  hooks = (await load(files.find((file) => file.endsWith('locations.ts'))!)) as unknown as typeof hooks
  const components = files.filter((file) => file.endsWith('.tsx') && /export /.test(readFileSync(file, 'utf8')))
  recipes = Object.assign({}, ...(await Promise.all(components.map(load)))) as Recipes
})

const at = (row: number, col = 2): CellLocation => ({ sheet: 'Q3', row, col })
let fake: FakeRoom<CellTypes>
let clock: ReturnType<typeof manualClock>
let root: ReturnType<typeof createRoot>
let page: HTMLElement
beforeEach(async () => {
  clock = manualClock()
  fake = await fakeRoom({ clock, others: { ada: { profile: { name: 'Ada' }, location: at(4) } } })
  page = document.createElement('main')
  root = createRoot(page)
})
afterEach(async () => {
  await act(async () => root.unmount())
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
const click = () => act(async () => page.querySelector('button')!.click())

test('the recipe "show who is in a cell" renders the members of the cell', async () => {
  const { Cell } = recipes
  const grid = (rows: number[]) => (
    <table>
      <tbody>
        {rows.map((row) => (
          <tr key={row}>
            <Cell row={row} col={2} />
          </tr>
        ))}
      </tbody>
    </table>
  )
  await show(grid([4, 5]))
  const cells = () => [...page.querySelectorAll('td')].map(({ textContent }) => textContent)
  expect(cells()).toEqual(['Ada', ''])
  await act(() => fake.moves('ada', at(5)))
  expect(cells()).toEqual(['', 'Ada'])
})

test('the recipe "an avatar stack" renders initials, fades members who are away, and gives each member a different colour', async () => {
  const { Faces } = recipes
  await show(<Faces />)
  await act(() => fake.enters('bob', { profile: { name: 'Bob' }, activity: 'away' }))
  const faces = [...page.querySelectorAll('i')]
  expect(faces.map(({ textContent, style }) => `${textContent} ${style.opacity}`)).toEqual(['Ad 1', 'Bo 0.5'])
  expect(new Set(faces.map(({ style }) => style.background)).size).toBe(2)
})

test('the recipe "live cursors that glide" moves a cursor with its member, and removes it when the member leaves', async () => {
  const { Cursor } = recipes
  await show(<Cursor memberId="ada" />)
  expect(page.querySelector('span')!.style.transform).toBe('translate(192px, 96px)')
  await act(() => fake.moves('ada', at(5)))
  expect(page.querySelector('span')!.style.transform).toBe('translate(192px, 120px)')
  expect(page.querySelector('span')!.style.transition).toContain('transform')
  await act(() => fake.leaves('ada'))
  expect(page.querySelector('span')).toBeNull()
})

test('the recipe "jump to a person" scrolls to the row of the member and posts it as ours', async () => {
  const { Jump } = recipes
  const rows: number[] = []
  await show(<Jump memberId="ada" scrollTo={(row) => rows.push(row)} />)
  await click()
  expect(rows).toEqual([4])
  expect(fake.room.self?.location).toEqual(at(4))
})

test('the recipe for the state of the connection shows a hint only while the connection is degraded or lost', async () => {
  const { Line } = recipes
  await show(<Line />)
  expect(page.textContent).toBe('')
  await act(() => fake.degrades())
  expect(page.textContent).toBe('What you see may be old.')
  await act(() => fake.recovers())
  await act(() => fake.losesConnection())
  expect(page.textContent).toMatch(/ Try again$/)
  await act(() => fake.restoresConnection())
  expect(page.textContent).toBe('')
})

test('the recipes for Suspense and server rendering render a fallback and the members of `initial`', async () => {
  const initial: GetLocationsOutput<CellTypes> = {
    id: 'epochepoch1.1',
    event: {
      type: 'snapshot',
      connections: [
        { connectionId: 'c', memberId: 'ada', profile: { name: 'Ada' }, location: null, activity: 'active', at: 1 },
      ],
    },
  }
  const { WaitingPage, ToldPage } = recipes
  expect(renderToString(<WaitingPage />).replaceAll('<!-- -->', '')).toBe('<p>One moment (connecting)</p>')
  expect(renderToString(<ToldPage initial={initial} />)).toBe('<p>Ada</p>')
})
