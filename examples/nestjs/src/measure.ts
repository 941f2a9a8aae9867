// npm run measure: compares the bytes that the article's first version and this version send for 100 posts to 10
// viewers.
import { createApp } from './app.js'
import { FirstVersionController } from './first-version.controller.js'
import { createLocations } from './locations.js'

const people = Array.from({ length: 10 }, (_, i) => `Person${i}`)
const headersOf = (name: string) => ({ authorization: `Bearer ${name}`, 'content-type': 'application/json' })
const cell = (n: number) => ({ sheet: 'Q3', row: n, col: n % 16 })

type Way = {
  post(name: string, n: number): { path: string; body: object }
  stream: string
  /** True if the server sends bytes to a new stream before the next post. These bytes are awaited, and not counted. */
  beforehand: boolean
}
const firstVersion: Way = {
  post: (user, n) => ({ path: 'first-version', body: { user, ...cell(n) } }),
  stream: 'first-version',
  beforehand: false,
}
const thisVersion: Way = {
  post: (_user, n) => ({ path: 'trpc/postLocation', body: { room: 'sheet-42', location: cell(n) } }),
  stream: `trpc/onLocation?input=${encodeURIComponent('{"room":"sheet-42"}')}`,
  beforehand: true,
}

/** Lets 10 members, who are also the viewers, post 100 times in turn. `nth` gives the location of each post. */
async function measure(way: Way, everyMs: number, nth: (post: number) => number) {
  const app = await createApp(createLocations({ timing: { drainMs: 0 } }))
  await app.listen(0, '127.0.0.1')
  const url = await app.getUrl()
  const post = async (i: number) => {
    const name = people[i % people.length]!
    const { path, body } = way.post(name, nth(i))
    const response = await fetch(`${url}/${path}`, {
      method: 'POST',
      headers: headersOf(name),
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
    await response.arrayBuffer()
  }
  // Every member has a location before the measurement.
  for (let i = 0; i < people.length; i++) await post(i)
  const viewers = await Promise.all(people.map((name) => view(`${url}/${way.stream}`, headersOf(name))))
  if (way.beforehand) await settled(viewers)
  const newcomerSees = viewers[0]!.text.includes('"row"')
  const before = sumOf(viewers)
  const posts = []
  for (let i = people.length; i < people.length + 100; i++) {
    posts.push(post(i))
    if (everyMs > 0) await Promise.all([posts.at(-1), new Promise((resolve) => setTimeout(resolve, everyMs))])
  }
  await Promise.all(posts)
  await settled(viewers)
  const { bytes, events } = sumOf(viewers)
  for (const { close } of viewers) close()
  await settled(viewers)
  const listeners = app.get(FirstVersionController, { strict: false }).emitter.listenerCount('positions')
  await app.close()
  return { bytes: bytes - before.bytes, events: events - before.events, newcomerSees, listeners }
}

type Viewer = { readonly text: string; close(): void }

async function view(url: string, headers: Record<string, string>): Promise<Viewer> {
  const closing = new AbortController()
  const response = await fetch(url, { headers, signal: closing.signal })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  const viewer = { text: '', close: () => closing.abort() }
  const read = async () => {
    const decoder = new TextDecoder()
    for await (const chunk of response.body!) viewer.text += decoder.decode(chunk, { stream: true })
  }
  read().catch(() => {})
  return viewer
}

/**
 * Returns the size of all streams without heartbeats, which are sent every ten seconds whether or not anybody posts.
 */
function sumOf(viewers: Viewer[]) {
  const texts = viewers.map(({ text }) => text.replaceAll(/data: {"type":"beat".*\nid: .*\n\n\n/g, ''))
  return {
    bytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
    events: texts.reduce((sum, text) => sum + text.split('\ndata: ').length - 1, 0),
  }
}

/** Resolves when no bytes have arrived for a while. */
async function settled(viewers: Viewer[]): Promise<void> {
  for (let before = -1; before !== sumOf(viewers).bytes;) {
    before = sumOf(viewers).bytes
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

const moving = (post: number) => post
const staying = (post: number) => post % people.length
const rows = []
for (const [what, everyMs, nth] of [
  ['100 moves, 40 a second', 25, moving],
  ['100 moves at once', 0, moving],
  ['100 posts that say nothing new', 0, staying],
] as const) {
  rows.push({ what, first: await measure(firstVersion, everyMs, nth), ours: await measure(thisVersion, everyMs, nth) })
}
if (process.argv.includes('--json')) console.log(JSON.stringify(rows))
else {
  const sent = ({ bytes, events }: { bytes: number; events: number }) =>
    `${events.toLocaleString('en')} events, ${bytes.toLocaleString('en')} bytes`
  const [{ first, ours }] = rows as [(typeof rows)[number]]
  console.log(`| to 10 viewers | the first version | this one |\n| --- | --- | --- |`)
  for (const row of rows) console.log(`| ${row.what} | ${sent(row.first)} | ${sent(row.ours)} |`)
  console.log(
    `| a newcomer sees who is there | ${first.newcomerSees ? 'at once' : 'when somebody moves'} | ${ours.newcomerSees ? 'at once' : 'when somebody moves'} |`,
  )
  console.log(`| listeners left when all 10 are gone | ${first.listeners} | ${ours.listeners} |`)
}
