import { connect } from 'node:net'
import { serveLocations } from 'hereabouts/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { cell, stockClient } from '../support/clients/stock-client.js'
import { until } from '../support/until.js'

/* The exact bytes on the wire: clients in other languages, proxies and curl depend on them. */

const server = await serveLocations()
afterAll(() => server.close())

describe('the bytes on the wire', () => {
  test('the bytes on the wire of a stream are a hello and a snapshot with ids', async () => {
    const room = 'bytes'
    const client = stockClient(server.url)
    const connectionKey = 'AAAAAAAAAAAAAAAAAAAAAA'
    const { id } = await client.postLocation.mutate({ room, connectionKey, seq: 1, location: cell(4) })
    using socket = rawSocket(server.port)
    socket.write(`GET /trpc/onLocation?input=%7B%22room%22%3A%22bytes%22%7D HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    await until('the snapshot is here', () => socket.text.includes('snapshot'))
    const [epoch, at] = id!.split('.')
    const { head, body } = partsOf(socket.text)
    expect(head.filter((line) => !/^(date|keep-alive): /i.test(line))).toEqual([
      'HTTP/1.1 200 OK',
      'cache-control: no-cache, no-transform, no-store',
      'connection: keep-alive',
      'content-type: text/event-stream',
      'referrer-policy: no-referrer',
      'transfer-encoding: chunked',
      'vary: trpc-accept, accept',
      'x-accel-buffering: no',
      'x-content-type-options: nosniff',
    ])
    const connection =
      `{"connectionId":"2m9I_Y5Wkl7rm1hs","memberId":"MEMBER","profile":null,` +
      `"location":{"col":2,"row":4,"sheet":"Q3"},"activity":"active","at":${at}}`
    const { connectionId, memberId } = connectionIn(body)
    expect(body).toBe(
      `event: connected\ndata: {"reconnectAfterInactivityMs":30000}\n\n\n` +
        `data: {"type":"hello","protocol":1,"connectionId":null,"beatMs":10000,"leaseMs":30000,"postMs":50,"features":["used"]}\nid: ${epoch}.0\n\n\n` +
        `data: {"type":"snapshot","connections":[${connection.replace('2m9I_Y5Wkl7rm1hs', connectionId).replace('MEMBER', memberId)}]}\nid: ${id}\n\n\n`,
    )
  })

  test('the bytes on the wire of a change are one changes event', async () => {
    const room = 'changes'
    const client = stockClient(server.url)
    const connectionKey = 'AAAAAAAAAAAAAAAAAAAAAA'
    const first = await client.postLocation.mutate({ room, connectionKey, seq: 1, location: cell(4) })
    using socket = rawSocket(server.port)
    socket.write(`GET /trpc/onLocation?input=%7B%22room%22%3A%22changes%22%7D HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    await until('the snapshot is here', () => socket.text.includes('snapshot'))
    const second = await client.postLocation.mutate({ room, connectionKey, seq: 2, location: null })
    await until('the change is here', () => socket.text.includes('"changed"') && socket.text.endsWith('\n\n\n\r\n'))
    const change = `{"connectionId":"${first.connectionId}","location":null,"at":${second.id!.split('.')[1]}}`
    expect(partsOf(socket.text).body).toContain(
      `data: {"type":"changes","from":"${first.id}","changed":[${change}]}\nid: ${second.id}\n\n\n`,
    )
  })

  test('the bytes on the wire of a rejected stream are status 200, one serialized-error, and the end', async () => {
    using socket = rawSocket(server.port)
    socket.write(`GET /trpc/onLocation?input=%7B%22room%22%3A%22%22%7D HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    await until('the body has ended', () => socket.text.endsWith('0\r\n\r\n'))
    const { head, body } = partsOf(socket.text)
    expect(head[0]).toBe('HTTP/1.1 200 OK')
    const [connected, refused, rest] = body.split('\n\n\n')
    expect(connected).toMatch(/^event: connected\ndata: /)
    expect(refused).toMatch(/^event: serialized-error\ndata: \{"message":"bad-input: room: a room id must be /)
    expect(refused).not.toContain('stack')
    expect(rest).toBe('')
  })

  test('the bytes on the wire of a post and its reply are JSON', async () => {
    using socket = rawSocket(server.port)
    const body = `{"room":"post","location":null,"connectionKey":"AAAAAAAAAAAAAAAAAAAAAA","seq":7}`
    socket.write(
      `POST /trpc/postLocation HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    await until('the answer is here', () => socket.text.includes('}}'))
    const parts = partsOf(socket.text)
    expect(parts.head[0]).toBe('HTTP/1.1 200 OK')
    expect(parts.head).toContain('cache-control: no-store')
    expect(parts.head).toContain('content-type: application/json')
    expect(parts.body).toMatch(
      /^\{"result":\{"data":\{"outcome":"applied","connectionId":"[\w-]{16}","memberId":"[\w-]{16}","seq":7,"id":"[\w-]{11}\.\d{16}"\}\}\}$/,
    )
  })
})

/** Opens a socket and collects the text that it receives. */
function rawSocket(port: number) {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  let text = ''
  socket.on('data', (chunk: string) => (text += chunk))
  return {
    get text() {
      return text
    },
    write: (bytes: string) => void socket.write(bytes),
    [Symbol.dispose]: () => void socket.destroy(),
  }
}

/** Splits a response into its status, its headers (sorted, with lower-case names) and its body without chunk sizes. */
function partsOf(text: string): { head: string[]; body: string } {
  const end = text.indexOf('\r\n\r\n')
  const [status, ...lines] = text.slice(0, end).split('\r\n')
  const headers = lines.map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase())).sort()
  let rest = text.slice(end + 4)
  if (!headers.includes('transfer-encoding: chunked')) return { head: [status!, ...headers], body: rest }
  let body = ''
  while (rest) {
    const [line] = rest.split('\r\n', 1)
    const size = parseInt(line!, 16)
    const start = line!.length + 2
    body += Buffer.from(rest.slice(start)).subarray(0, size).toString()
    rest = Buffer.from(rest.slice(start))
      .subarray(size + 2)
      .toString()
  }
  // Removes heartbeats, because they may arrive at any time.
  return { head: [status!, ...headers], body: body.replace(/data: \{"type":"beat".*\nid: .*\n\n\n/g, '') }
}

function connectionIn(body: string): { connectionId: string; memberId: string } {
  const [, connectionId = '', memberId = ''] = /"connectionId":"([\w-]{16})","memberId":"([\w-]{16})"/.exec(body) ?? []
  return { connectionId, memberId }
}
