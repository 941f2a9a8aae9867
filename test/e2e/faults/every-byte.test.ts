import { createLocationClient } from 'hereabouts/client'
import { serveLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { rowsSeen } from '../../support/clients/joined.js'
import { cell, type Cells } from '../../support/clients/stock-client.js'
import { until } from '../../support/until.js'

/* A stream may break within a character, an id or a line. It resumes at its last complete event and loses nothing. */

const scale = 1 / 20

describe('a stream that is cut', { timeout: 120_000 }, () => {
  const bytes = 2_048
  const atOnce = 256
  const people = ['𓀀', '𓀁', '𓀂', '𓀃'].map((name) => ({ memberId: name, profile: { name: name.repeat(8) } }))

  test(`a stream that is cut after any of its first ${bytes} bytes resumes and converges to the room`, async () => {
    const room = 'every-byte'
    // Leases are longer than the test, so that no connection expires.
    await using server = await serveLocations({ timing: { scale, leaseMs: 600_000 } })
    const hub = server.hub.room(room)
    let row = 0
    const moveAll = async () => {
      row += 1
      for (const [col, person] of people.entries()) await hub.post({ ...person, location: { ...cell(row), col } })
    }
    await moveAll()
    // Records the text of one stream that is not cut.
    const recording = new AbortController()
    const input = encodeURIComponent(JSON.stringify({ room }))
    const { body } = await fetch(`${server.url}/onLocation?input=${input}`, recording)
    const reader = body!.getReader()
    let recorded = Buffer.alloc(0)
    while (recorded.length < bytes) {
      await moveAll()
      recorded = Buffer.concat([recorded, (await reader.read()).value!])
    }
    recording.abort()
    expect(recorded.toString()).toContain('"type":"snapshot"')
    expect(recorded.toString().match(/"type":"changes"/g)!.length).toBeGreaterThan(5)
    // A change after all cuts, which none of the cut streams contained.
    await moveAll()

    const viewerCutAfter = (length: number) => {
      let opened = 0
      const client = createLocationClient<Cells>({
        url: server.url,
        fetch(url, init) {
          if (opened++ > 0) return fetch(url, init)
          const broken = new ReadableStream<Uint8Array>({
            start: (out) => out.enqueue(recorded.subarray(0, length)),
            pull: (out) => out.error(new TypeError('The stream was cut.')),
          })
          return Promise.resolve(new Response(broken, { headers: { 'content-type': 'text/event-stream' } }))
        },
      })
      const seen = client.watch(room)
      const wrong: string[] = []
      seen.on('left', () => wrong.push('left'))
      seen.on('error', ({ error }) => wrong.push(error.message))
      seen.on('moved', ({ previous, current }) => {
        if (previous!.row > current!.row) wrong.push(`back from ${previous!.row} to ${current!.row}`)
      })
      return { client, seen, wrong, length, opened: () => opened }
    }
    const truth = people.map(() => row).join()
    for (let from = 0; from < bytes; from += atOnce) {
      const viewers = Array.from({ length: atOnce }, (_, i) => viewerCutAfter(from + i + 1))
      for (const { seen, length, wrong, opened } of viewers) {
        await until(`the truth is shown after a cut at ${length}`, () => rowsSeen(seen).join() === truth, 30_000)
        expect(opened()).toBeGreaterThan(1)
        expect(wrong, `after a cut at ${length}`).toEqual([])
      }
      await Promise.all(viewers.map(({ client }) => client.close()))
    }
  })
})
