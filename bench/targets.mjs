import { median } from './figures.mjs'

/*
 * The performance targets, compared with the measured results. A ratio is computed within one round, from two runs that
 * follow each other closely. The report shows the median of the rounds.
 */

const figureOf = (runs, contestant, round, name, stalls = 0) =>
  runs.find((run) => run.contestant === contestant && run.round === round && run.stalls === stalls)?.figures[name]

/** Returns the ratio of a figure of Hereabouts to that of another contestant. */
function ratio(results, scenario, other, name) {
  const runs = results[scenario]?.runs
  if (!runs) return Number.NaN
  const rounds = [...new Set(runs.map(({ round }) => round))]
  return median(rounds.map((round) => figureOf(runs, 'hereabouts', round, name) / figureOf(runs, other, round, name)))
}

const own = (results, scenario, name) =>
  results[scenario]?.rows.find(({ contestant }) => contestant === 'hereabouts')?.[name] ?? Number.NaN

const stalledOwn = (results, name, stalls, share) => {
  const rows = results.stalled?.rows.filter(({ contestant }) => contestant === 'hereabouts') ?? []
  const of = (count) => rows.find((row) => row.stalls === count)?.[name] ?? Number.NaN
  return share(of(stalls), of(0))
}

const times = (value) => `${Number(value.toPrecision(3))}x`
const atLeast = (bar) => (value) => value >= bar
const atMost = (bar) => (value) => value <= bar

const more = (what, scenario, other, bar) => ({
  what,
  bar: `${bar}x more`,
  value: (results) => ratio(results, scenario, other, 'updatesPerCpuSecond'),
  show: times,
  isMet: atLeast(bar),
})
const inMs = (value) => `${Number(value.toPrecision(3))} ms`

export const targets = [
  {
    what: 'fan-out: CPU per delivered update, against stock tRPC as its guide says',
    bar: '50x less',
    value: (results) => ratio(results, 'fan-out', 'trpc-guide', 'updatesPerCpuSecond'),
    show: times,
    isMet: atLeast(50),
  },
  {
    what: 'the same per delivered event (ours holds several updates), with our router',
    bar: '50x less',
    value: (results) => 1 / ratio(results, 'fan-out', 'trpc', 'cpuMicrosPerEvent'),
    show: times,
    isMet: atLeast(50),
  },
  {
    what: 'the same per delivered event, as its guide says',
    bar: '50x less',
    value: (results) => 1 / ratio(results, 'fan-out', 'trpc-guide', 'cpuMicrosPerEvent'),
    show: times,
    isMet: atLeast(50),
  },
  {
    what: 'fan-out: CPU per delivered update, against bare node:http',
    bar: 'at most 1x',
    value: (results) => 1 / ratio(results, 'fan-out', 'bare', 'updatesPerCpuSecond'),
    show: times,
    isMet: atMost(1),
  },
  {
    what: 'the same per delivered event (ours holds several updates, and our posts are validated)',
    bar: 'at most 1x',
    value: (results) => ratio(results, 'fan-out', 'bare', 'cpuMicrosPerEvent'),
    show: times,
    isMet: atMost(1),
  },
  more('fan-out: updates per CPU second, against Socket.IO', 'fan-out', 'socket-io', 2.5),
  more('hot room: the same, against Socket.IO', 'hot-room', 'socket-io', 10),
  more('hot room: the same, against stock tRPC as its guide says', 'hot-room', 'trpc-guide', 150),
  more('the same, against stock tRPC with our router (which merges)', 'hot-room', 'trpc', 150),
  {
    what: 'hot room: server CPU per post, all in',
    bar: 'about 100 µs',
    value: (results) => own(results, 'hot-room', 'cpuMicrosPerPost'),
    show: (value) => `${Math.round(value)} µs`,
    isMet: atMost(110),
  },
  more('small rooms: updates per CPU second, against stock tRPC with our router', 'small-rooms', 'trpc', 10),
  more('the same, against stock tRPC as its guide says', 'small-rooms', 'trpc-guide', 10),
  more('the same, against Socket.IO', 'small-rooms', 'socket-io', 0.8),
  {
    what: 'hot room: p99 from post to delivery',
    bar: 'under 40 ms',
    value: (results) => own(results, 'hot-room', 'p99'),
    show: inMs,
    isMet: atMost(40),
  },
  {
    what: 'hot room: bytes per update with `compress: true`, against without (positions here hold nine random digits)',
    bar: 'at most 0.125x',
    value: (results) => 1 / ratio(results, 'hot-room', 'compressed', 'bytesPerUpdate'),
    show: times,
    isMet: atMost(0.125),
  },
  {
    what: 'idle stream: heap, against bare node:http',
    bar: 'at most 3x',
    value: (results) => ratio(results, 'idle', 'bare', 'heapPerStream'),
    show: times,
    isMet: atMost(3),
  },
  {
    what: 'idle stream: RSS, against bare node:http',
    bar: 'at most 3x',
    value: (results) => ratio(results, 'idle', 'bare', 'rssPerStream'),
    show: times,
    isMet: atMost(3),
  },
  {
    what: 'fifty stalled readers: growth of the heap for each, beyond that of a run without',
    bar: 'a frame + 64 KiB',
    value: (results) => stalledOwn(results, 'heapGrowth', 50, (with50, without) => (with50 - without) / 50 / 1_024),
    show: (value) => `${Number(value.toPrecision(3))} KB`,
    isMet: atMost(100),
  },
  {
    what: 'fifty stalled readers: p99 of the others, against a run without',
    bar: 'at most 1.2x',
    value: (results) => stalledOwn(results, 'p99', 50, (with50, without) => with50 / without),
    show: times,
    isMet: atMost(1.2),
  },
  {
    what: 'join storm: the last of 2,000 has its snapshot, after the last connect',
    bar: 'under 1 s',
    value: (results) => own(results, 'join-storm', 'lastLiveMs'),
    show: inMs,
    isMet: atMost(1_000),
  },
  {
    what: 'join storm: server CPU per join',
    bar: 'at most 1 ms',
    value: (results) => own(results, 'join-storm', 'cpuMsPerJoin'),
    show: inMs,
    isMet: atMost(1),
  },
]
