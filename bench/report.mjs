import { existsSync, readFileSync, writeFileSync } from 'node:fs'
export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
export function print({ rows }) {
  console.table(Object.fromEntries(rows.map(({ contestant, stalls, ...figures }) => [`${contestant}${stalls ? ` ${stalls}` : ''}`, Object.fromEntries(Object.entries(figures).map(([k, v]) => [k, Number.isInteger(v) ? v : Number(v?.toPrecision(3))]))])))
}
export function remember() {}
export function writeDocs() {}
