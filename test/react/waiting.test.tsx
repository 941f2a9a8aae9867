// @vitest-environment jsdom
import { setImmediate as turn } from 'node:timers/promises'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Connection, GetLocationsOutput } from 'hereabouts'
import { createLocationClient, type LocationClient } from 'hereabouts/client'
import { createLocationHooks } from 'hereabouts/react'
import type { LocationServer } from 'hereabouts/server/standalone'
import { act, Component, startTransition, StrictMode, Suspense, type ReactNode } from 'react'
import { createRoot, hydrateRoot } from 'react-dom/client'
import { renderToPipeableStream, renderToString } from 'react-dom/server'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { manualClock } from '../../src/testing/manual-clock.js'
import { scriptedServer, type ScriptedServer, type ScriptedStream } from '../support/servers/scripted-server.js'
import type { CellTypes } from '../support/cell-types.js'

type Router = LocationServer<CellTypes>['router']
const { RoomProvider, useMembers, useOthers, useRoom, useStatus } = createLocationHooks(
  createLocationClient<Router>({ url: 'http://127.0.0.1:9' }),
)

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

const one = (name: string, at = 1): Connection<CellTypes> => ({
  connectionId: name,
  memberId: name,
  profile: { name },
  location: null,
  activity: 'active',
  at,
})
const id = (version: number) => `epochepoch1.${version}`
const answered = (...connections: Connection<CellTypes>[]) =>
  ({ id: id(1), event: { type: 'snapshot', connections } }) satisfies GetLocationsOutput<CellTypes>
const nothing = { streams: 0, posts: 0, leaves: 0 }

let server: ScriptedServer
let client: LocationClient<CellTypes>
let root: ReturnType<typeof createRoot>
let page: HTMLElement

beforeEach(async () => {
  server = await scriptedServer()
  client = createLocationClient<Router>({ url: server.url, clock: manualClock() })
  page = document.createElement('main')
  root = createRoot(page)
})
afterEach(async () => {
  await act(async () => root.unmount())
  await client.close()
  await server[Symbol.asyncDispose]()
})

const render = (children: ReactNode) => act(async () => root.render(children))
/** The visible text. React hides the content that it keeps behind a fallback. */
const shown = () =>
  [...page.childNodes]
    .filter((node) => !(node instanceof Comment) && !(node instanceof HTMLElement && node.style.display === 'none'))
    .map((node) => node.textContent)
    .join('')
const delivered = () =>
  act(async () => {
    for (let i = 0; i < 30; i++) await turn()
  })
/** Answers the next stream with a snapshot of these connections. */
async function answer(...others: Connection<CellTypes>[]): Promise<ScriptedStream> {
  const stream = await act(() => server.stream())
  stream.hello()
  stream.snapshot(id(1), ...others)
  await delivered()
  return stream
}

/** Every text that `People` rendered. */
let seen: string[] = []
beforeEach(() => {
  seen = []
})
function People() {
  const names = useOthers().map(({ memberId }) => memberId)
  const said = `${useRoom().id}: ${names.join()}`
  seen.push(said)
  return said
}
const awaited = (room: string, children: ReactNode = <People />) => (
  <RoomProvider client={client} room={room} fallback="...">
    {children}
  </RoomProvider>
)
const never = new Promise<never>(() => {})
function Never(): ReactNode {
  // Throwing a promise suspends in every supported React version.
  // oxlint-disable-next-line typescript/only-throw-error
  throw never
}
class Boundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state = { error: null as Error | null }
  static getDerivedStateFromError = (error: Error) => ({ error })
  override render() {
    const { error } = this.state
    return error ? `${(error as Error & { code?: string }).code}!` : this.props.children
  }
}

describe('a provider with a fallback', () => {
  test('a provider with a fallback shows the fallback until the room is loaded, and renders its children only then', async () => {
    await render(awaited('r'))
    expect(shown()).toBe('...')
    await answer(one('ada'))
    expect(shown()).toBe('r: ada')
    expect(new Set(seen)).toEqual(new Set(['r: ada']))
  })

  test('a provider with a fallback under StrictMode joins once and leaves once', async () => {
    await render(<StrictMode>{awaited('r')}</StrictMode>)
    await answer(one('ada'))
    expect(shown()).toBe('r: ada')
    expect(server.waiting()).toEqual({ ...nothing, posts: 1 })
    await render(null)
    await server.leave()
    await delivered()
    expect(server.waiting()).toEqual({ ...nothing, posts: 1 })
  })

  test('the fallback of a provider can show the status of the connection', async () => {
    const Line = () => `${useStatus().state} ...`
    await render(
      <RoomProvider client={client} room="r" fallback={<Line />}>
        <People />
      </RoomProvider>,
    )
    expect(shown()).toBe('connecting ...')
    const stream = await act(() => server.stream())
    stream.cut()
    await delivered()
    expect(shown()).toBe('waiting ...')
  })

  test('the error of a refused room reaches the error boundary around the provider, and a new mount tries again', async () => {
    const complaints = vi.spyOn(console, 'error').mockImplementation(() => {})
    await render(<Boundary key="1">{awaited('r')}</Boundary>)
    const stream = await act(() => server.stream())
    stream.hello()
    stream.error('FORBIDDEN', 403, 'forbidden: not yours')
    await delivered()
    complaints.mockRestore()
    expect(shown()).toBe('forbidden!')
    await render(<Boundary key="2">{awaited('r')}</Boundary>)
    // The new mount tries the refused room again, or joins it anew if the room has been left.
    await answer(one('ada'))
    expect(shown()).toBe('r: ada')
  })

  test('a provider with a fallback keeps its children when the room is closed later, with the status `closed`', async () => {
    const State = () => ` ${useStatus().state}`
    await render(awaited('r', [<People key="people" />, <State key="state" />]))
    const stream = await answer(one('ada'))
    expect(shown()).toBe('r: ada live')
    stream.error('FORBIDDEN', 403, 'forbidden: not any more')
    await delivered()
    expect(shown()).toBe('r: ada closed')
  })

  test('a provider with a fallback changes to another room in a transition and shows the fallback meanwhile', async () => {
    await render(awaited('a'))
    await answer(one('ada'))
    expect(shown()).toBe('a: ada')
    await act(async () => startTransition(() => root.render(awaited('b'))))
    expect(shown()).toBe('...')
    await answer(one('bob', 2))
    expect(shown()).toBe('b: bob')
    await server.leave()
  })

  test('a provider with a fallback shows it while its children suspend, but not for an inner provider without one', async () => {
    const Inner = () => (
      <RoomProvider client={client} room="inner">
        <People />
      </RoomProvider>
    )
    await render(awaited('r', <Inner />))
    // The inner provider has no fallback, so its children do not suspend.
    expect(shown()).toBe('inner: ')
    await render(awaited('r', <Never />))
    expect(shown()).toBe('...')
  })

  test('a provider with a fallback renders its children with all members when the room is already loaded', async () => {
    await render(awaited('r', null))
    await answer(one('ada'))
    await render([<i key="one">{awaited('r', null)}</i>, <b key="two">{awaited('r')}</b>])
    expect(seen).not.toContain('r: ')
    expect(shown()).toContain('r: ada')
  })
})

describe('trees that React never commits', () => {
  test('a tree that suspends before it is committed joins no room', async () => {
    await render(
      <Suspense fallback="outer">
        {awaited('r')}
        <RoomProvider client={client} room="s" />
        <Never />
      </Suspense>,
    )
    await delivered()
    expect(shown()).toBe('outer')
    await render(null)
    await delivered()
    expect(server.waiting()).toEqual(nothing)
  })

  test('a tree in an abandoned transition joins no room', async () => {
    const Page = ({ room }: { room: string | null }) => (
      <Suspense fallback="outer">
        {room ? awaited(room) : 'before'}
        {room && <Never />}
      </Suspense>
    )
    await render(<Page room={null} />)
    await act(async () => startTransition(() => root.render(<Page room="r" />)))
    await delivered()
    expect(shown()).toBe('before')
    await render(<Page room={null} />)
    await delivered()
    expect(server.waiting()).toEqual(nothing)
  })
})

test('a tree that React hides behind a fallback for a while stays in its room', async () => {
  const tree = (child: ReactNode) => (
    <Suspense fallback="outer">
      <RoomProvider client={client} room="r">
        <People />
        {child}
      </RoomProvider>
    </Suspense>
  )
  await render(tree(' on time'))
  const stream = await answer(one('ada'))
  await render(tree(<Never />))
  expect(shown()).toBe('outer')
  await server.post()
  await delivered()
  expect(server.waiting()).toEqual(nothing)
  stream.event(id(2), { type: 'changes', from: id(1), entered: [one('bob', 2)] })
  await delivered()
  await render(tree(' on time'))
  await delivered()
  expect(shown()).toBe('r: ada,bob on time')
  expect(server.waiting()).toEqual(nothing)
  await render(null)
  await server.leave()
})

describe('server rendering', () => {
  /** Returns the complete page as a server would stream it. */
  const streamed = async (children: ReactNode) => {
    const bytes = new PassThrough()
    const errors: unknown[] = []
    const { pipe } = renderToPipeableStream(children, { onError: (error) => void errors.push(error) })
    pipe(bytes)
    const html = await text(bytes)
    expect(errors).toEqual([])
    return html
  }
  /** Hydrates the page as a browser would, and returns the reported errors. */
  const hydrated = async (html: string, children: ReactNode) => {
    const errors: unknown[] = []
    const complaints = vi.spyOn(console, 'error').mockImplementation((...said) => void errors.push(said))
    page = document.createElement('main')
    page.innerHTML = html
    await act(async () => {
      root = hydrateRoot(page, children, { onRecoverableError: (error) => void errors.push(error) })
    })
    await delivered()
    complaints.mockRestore()
    // This warning is caused by running server and browser rendering in one process.
    return errors.filter((said) => !String(said).includes('multiple renderers'))
  }

  test('server rendering does not wait for the room and renders the fallback', async () => {
    expect(renderToString(awaited('r'))).toBe('...')
    expect(await streamed(awaited('r'))).toBe('...')
    await delivered()
    expect(server.waiting()).toEqual(nothing)
  })

  test('a page with a server-rendered fallback is hydrated without errors and then shows the room', async () => {
    expect(await hydrated(renderToString(awaited('r')), awaited('r'))).toEqual([])
    expect(shown()).toBe('...')
    await answer(one('ada'))
    expect(shown()).toBe('r: ada')
  })

  test.each([['with', '...'] as const, ['without', undefined] as const])(
    'server rendering shows the members of `initial` %s a fallback',
    async (_, fallback) => {
      const Count = () => ` of ${useMembers().length}`
      const told = (
        <RoomProvider client={client} room="r" fallback={fallback} initial={answered(one('ada'))}>
          <People />
          <Count />
        </RoomProvider>
      )
      const html = await streamed(told)
      expect(html.replaceAll(/<!--.*?-->/g, '')).toBe('r: ada of 1')
      expect(await hydrated(html, told)).toEqual([])
      // In the browser, our own member is counted, too.
      expect(shown()).toBe('r: ada of 2')
      const stream = await act(async () => server.stream())
      // The stream resumes from the event id of the server-rendered page.
      expect(stream.input.lastEventId).toBe(id(1))
      stream.hello(id(1))
      stream.event(id(2), { type: 'changes', from: id(1), entered: [one('bob', 2)] })
      await delivered()
      expect(shown()).toBe('r: ada,bob of 3')
      expect(new Set(seen)).toEqual(new Set(['r: ada', 'r: ada,bob']))
    },
  )
})
