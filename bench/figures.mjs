/* The columns of the table of each kind of scenario: heading and cell. */

const round = (value, digits = 3) => {
  if (!Number.isFinite(value)) return '-'
  const rounded = Number(value.toPrecision(digits))
  return rounded >= 1_000 ? Math.round(rounded).toLocaleString('en') : String(rounded)
}
const ms = (value) => (value >= 10_000 ? '> 10,000' : round(value))
const kb = (bytes) => round(bytes / 1_024)

const flow = {
  'updates / CPU s': ({ updatesPerCpuSecond }) => round(updatesPerCpuSecond),
  'µs CPU / event': ({ cpuMicrosPerEvent }) => round(cpuMicrosPerEvent),
  'µs CPU / post': ({ cpuMicrosPerPost }) => round(cpuMicrosPerPost),
  'posts/s taken': ({ postsPerSecond }) => round(postsPerSecond),
  'p50 ms': ({ p50 }) => ms(p50),
  'p99 ms': ({ p99 }) => ms(p99),
  'bytes / update': ({ bytesPerUpdate }) => round(bytesPerUpdate),
  'lost final states': ({ lost }) => round(lost),
  'CPU %': ({ cpuShare }) => round(cpuShare * 100),
}

export const columns = {
  flow,
  stalled: {
    'stalled readers': ({ stalls }) => String(stalls),
    'heap growth, KB': ({ heapGrowth }) => kb(heapGrowth),
    'RSS growth, KB': ({ rssGrowth }) => kb(rssGrowth),
    'p50 ms': flow['p50 ms'],
    'p99 ms': flow['p99 ms'],
    'posts/s taken': flow['posts/s taken'],
    'CPU %': flow['CPU %'],
  },
  idle: {
    'streams open': ({ live }) => round(live, 6),
    'heap / stream, KB': ({ heapPerStream }) => kb(heapPerStream),
    'RSS / stream, KB': ({ rssPerStream }) => kb(rssPerStream),
    'CPU % while idle': ({ cpuShare }) => round(cpuShare * 100),
  },
  joins: {
    live: ({ live }) => round(live, 6),
    'ms CPU / join': ({ cpuMsPerJoin }) => round(cpuMsPerJoin),
    'p50 to snapshot, ms': ({ p50 }) => ms(p50),
    'p99 to snapshot, ms': ({ p99 }) => ms(p99),
    'last one live, ms after the last connect': ({ lastLiveMs }) => ms(lastLiveMs),
  },
}

/** Returns the table of one scenario as rows of text. The first row holds the headings. */
export function tableOf({ kind, rows }, titleOf) {
  const shown = Object.entries(columns[kind])
  return [
    ['', ...shown.map(([heading]) => heading)],
    ...rows.map((row) => [titleOf(row.contestant), ...shown.map(([, cell]) => cell(row))]),
  ]
}

export const aligned = (table) => {
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)))
  return table
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '))
    .join('\n')
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2
}
