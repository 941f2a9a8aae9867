import { describe, expect, test } from 'vitest'
import { addressOf, example } from '../support/example.js'

const nestjs = example('nestjs')

describe.skipIf(!nestjs)('the Nest app', { timeout: 60_000 }, () => {
  const { commands, readme, run, start } = nestjs!

  test('the Nest app starts with the two commands of its README, answers a signed-in caller, and ends on Ctrl-C', async () => {
    expect(commands).toEqual(['npm ci', 'npm run example nestjs'])
    await using app = start()
    const headers = { authorization: 'Bearer Ada' }
    const asking = await fetch(`${await addressOf(app)}/trpc/countMembers?input={"rooms":["sheet-42"]}`, { headers })
    expect(await asking.json()).toEqual({ result: { data: [{ room: 'sheet-42', members: 0 }] } })
    app.interrupt()
    await app.status
  })

  test('the Nest app passes its own tests', async () => {
    const { status, said } = await run('test')
    expect(status, said).toBe(0)
  })

  test('the Nest app sends about as many events and bytes as the table in its README says', async () => {
    const { status, said } = await run('measure')
    expect(status, said).toBe(0)
    const [measured, written] = [tableIn(said), tableIn(readme)]
    expect(measured.map(([what]) => what)).toEqual(written.map(([what]) => what))
    for (const [i, [what, ...cells]] of measured.entries()) {
      for (const [j, cell] of cells.entries()) {
        const [was, is] = [numbersIn(written[i]![j + 1]!), numbersIn(cell)]
        if (!cell.includes('events')) expect(cell, what).toBe(written[i]![j + 1])
        // Heartbeats come at any time, and the number of posts in one frame depends on the machine.
        else
          for (const [k, number] of was.entries())
            expect(nearly(is[k]!, number, k === 0 ? 10 : 1_000), `${what}: ${cell}`).toBe(true)
      }
    }
    const [, , [, , ours] = []] = measured.slice(1)
    // Our version sends nothing here, except for heartbeats that are due during the measurement.
    const [events, bytes] = numbersIn(ours!)
    expect(events).toBeLessThan(10)
    expect(bytes).toBeLessThan(1_000)
  })
})

const tableIn = (text: string) =>
  text
    .slice(text.indexOf('| to 10 viewers'))
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
const numbersIn = (cell: string) => Array.from(cell.matchAll(/\d[\d,]*/g), ([text]) => Number(text.replaceAll(',', '')))
/**
 * True if a measured number is within a factor of five of the documented one. Timing explains such a factor; the
 * compared versions differ by far more. `least` is the number up to which heartbeats alone can raise a measurement.
 */
const nearly = (measured: number, written: number, least: number) =>
  measured <= Math.max(5 * written, least) && measured >= written / 5
