import { readFileSync } from 'node:fs'

/** Returns the functions with the most self time in a profile, in percent of the time that was not idle. */
export function hottest(path, count = 45) {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(path, 'utf8'))
  const nameOf = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
      id,
      `${functionName || '(anonymous)'} ${url.split('/').slice(-3).join('/')}${url ? `:${lineNumber + 1}` : ''}`,
    ]),
  )
  const selfOf = new Map()
  for (const [i, id] of samples.entries()) {
    const name = nameOf.get(id)
    selfOf.set(name, (selfOf.get(name) ?? 0) + timeDeltas[i])
  }
  // Idle time is left out, and `dispatch`, which belongs to the profiler.
  for (const name of ['(idle) ', 'dispatch ']) selfOf.delete(name)
  const all = Array.from(selfOf.values()).reduce((sum, each) => sum + each, 0)
  return Array.from(selfOf)
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([name, self]) => `${((100 * self) / all).toFixed(1).padStart(6)} %  ${name}`)
    .join('\n')
}
