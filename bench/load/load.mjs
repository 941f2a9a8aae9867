import { dialects } from './dialects.mjs'
import { Latencies } from './latencies.mjs'
import { Reader } from './messages.mjs'
import { Poster } from './poster.mjs'
import { now } from './time.mjs'
import { Viewer } from './viewer.mjs'

/* A load process with many clients. It runs the commands of the bench and replies with the results of its clients. */

const latencies = new Latencies()
const viewers = []
const posters = []
let timer

/** Opens this process's streams at a fixed rate. Resolves when each has received the whole room. */
async function open({ url, dialect: name, streams, perSecond, roomSize, patienceMs }) {
  const dialect = dialects[name]
  const reader = new Reader(dialect)
  const began = now()
  const opened = []
  await new Promise((resolve) => {
    let live = 0
    const openDue = () => {
      const due = Math.min(streams.length, Math.ceil(((now() - began + 5) / 1_000) * perSecond))
      while (opened.length < due) {
        const viewer = new Viewer({ url, dialect, who: streams[opened.length], reader, roomSize, latencies })
        viewer.onLive = () => ++live === streams.length && resolve()
        opened.push(viewer)
      }
      if (opened.length < streams.length) setTimeout(openDue, 5)
    }
    openDue()
    setTimeout(resolve, patienceMs).unref()
  })
  viewers.push(...opened)
  const live = opened.filter(({ liveAt }) => liveAt !== null)
  const joins = new Latencies()
  for (const { openedAt, liveAt } of live) joins.add(liveAt - openedAt)
  const latest = (of) => live.reduce((last, viewer) => Math.max(last, viewer[of]), 0)
  return { joins: joins.entries, lastOpenedAt: latest('openedAt'), lastLiveAt: latest('liveAt'), live: live.length }
}

/** Connects the members, and then moves them at a fixed rate. */
async function move({ url, dialect: name, members, perSecond }) {
  const dialect = dialects[name]
  // Members connect a few at a time: a connection that a full backlog rejects is retried after a second, which is not
  // measured here.
  for (const [nth, member] of members.entries()) {
    posters.push(new Poster({ ...member, url, dialect, viewer: viewers[member.stream] }))
    if (nth % 50 === 49) await Promise.all(posters.slice(-50).map((each) => each.connected))
  }
  await Promise.all(posters.map((each) => each.connected))
  const began = now()
  let done = 0
  clearInterval(timer)
  timer = setInterval(() => {
    const due = Math.floor(((now() - began) / 1_000) * perSecond * posters.length)
    // A member that falls behind skips moves, like a pointer does.
    for (done = Math.max(done, due - posters.length); done < due; done++) posters[done % posters.length].move()
  }, 2)
  return {}
}

async function rest() {
  clearInterval(timer)
  for (const poster of posters) poster.rest()
  for (let i = 0; i < 200 && !posters.every((each) => each.isQuiet); i++)
    await new Promise((resolve) => setTimeout(resolve, 10))
  const truth = posters.map(({ room, index, seq }) => ({ room, index, seq }))
  return { truth, failed: posters.reduce((sum, { failed }) => sum + failed, 0) }
}

function stall({ count }) {
  for (const viewer of viewers.splice(0, count)) viewer.stall()
  return {}
}

function clear() {
  latencies.clear()
  for (const viewer of viewers) viewer.updates = viewer.events = viewer.bytes = 0
  for (const poster of posters) poster.sent = 0
  return {}
}

function counted() {
  const sum = (of) => viewers.reduce((all, viewer) => all + viewer[of], 0)
  return {
    updates: sum('updates'),
    events: sum('events'),
    bytes: sum('bytes'),
    posts: posters.reduce((all, { sent }) => all + sent, 0),
    broken: viewers.filter(({ isBroken }) => isBroken).length,
    latencies: latencies.entries,
  }
}

/** Returns the number of wrong locations that the viewers show, given the final locations `truths`. */
function wrong({ truths }) {
  const of = (viewer) => viewer.wrong(truths[viewer.who.room] ?? [])
  return { wrong: viewers.reduce((sum, viewer) => sum + of(viewer), 0) }
}

const answers = { open, move, rest, stall, clear, counted, wrong }
const answer = async ({ ask, ...options }) => process.send(await answers[ask](options))
process.on('message', (question) => void answer(question))
process.on('disconnect', () => process.exit(0))
