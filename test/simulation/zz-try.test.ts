import { expect, test } from 'vitest'
import { simulate } from './world.js'
test('try', { timeout: 3_600_000 }, async () => {
  const from = Number(process.env['FROM'] ?? 1),
    to = Number(process.env['TO'] ?? 20)
  const sums: Record<string, number> = {}
  let bad = 0
  const t = performance.now()
  for (let seed = from; seed <= to; seed++) {
    const { wrongs, counts } = await simulate(seed)
    for (const [k, v] of Object.entries(counts)) sums[k] = (sums[k] ?? 0) + v
    if (wrongs.length) {
      bad++
      process.stdout.write(`SEED=${seed} ${wrongs.slice(0, 3).join(' | ').slice(0, 1500)}\n`)
    }
  }
  process.stdout.write(
    `bad ${bad} of ${to - from + 1}, ${JSON.stringify(sums)} ${Math.round(performance.now() - t)} ms\n`,
  )
  if (process.env['TWICE'])
    for (let seed = from; seed < from + 10; seed++) expect(await simulate(seed)).toEqual(await simulate(seed))
})
