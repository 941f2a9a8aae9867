import { createHash } from 'node:crypto'

/*
 * The protocol of each server: how to open a stream and how to post. Written by hand over plain sockets, because a client
 * library would use more CPU than the measured server.
 */

const headOf = (line, url, ...more) =>
  [line, `host: ${new URL(url).host}`, ...more].map((each) => `${each}\r\n`).join('') + '\r\n'

const httpPost = (url, path, input, ...more) => {
  const body = JSON.stringify(input)
  const length = `content-length: ${Buffer.byteLength(body)}`
  return `${headOf(`POST ${path} HTTP/1.1`, url, 'content-type: application/json', length, ...more)}${body}`
}

const openSse = (url, path, ...more) => headOf(`GET ${path} HTTP/1.1`, url, 'accept: text/event-stream', ...more)

const openWebSocket = (url, path) =>
  headOf(
    `GET ${path} HTTP/1.1`,
    url,
    'connection: Upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
  )

/** RFC 6455 §5.3: a client must mask its frames. A mask of zeros is allowed. */
export function maskedText(text) {
  const payload = Buffer.from(text)
  const isLong = payload.length > 125
  const head = isLong ? Buffer.alloc(8) : Buffer.alloc(6)
  head[0] = 0x81
  head[1] = 0x80 | (isLong ? 126 : payload.length)
  if (isLong) head.writeUInt16BE(payload.length, 2)
  return Buffer.concat([head, payload])
}

/** 22 base64url characters, derived from the member's number. */
const keyOf = (memberId) => createHash('sha256').update(memberId).digest('base64url').slice(0, 22)

function locationsOf({ room, memberId }) {
  const input = memberId === null ? { room } : { room, connectionKey: keyOf(memberId) }
  return `/trpc/onLocation?input=${encodeURIComponent(JSON.stringify(input))}`
}

const trpc = {
  framing: 'chunks',
  open: (url, who) => openSse(url, locationsOf(who)),
  post: (url, { room, memberId, seq, location }) =>
    httpPost(url, '/trpc/postLocation', { room, connectionKey: keyOf(memberId), seq, location }),
  isSnapshot: (text) => text.includes('"type":"snapshot"'),
}

const trpcGzip = {
  ...trpc,
  isGzip: true,
  open: (url, who) => openSse(url, locationsOf(who), 'accept-encoding: gzip'),
}

/** Members keep their location and move their pointers, which are presence values. */
const pointers = {
  ...trpc,
  open: (url, who) => openSse(url, locationsOf(who), `x-member: ${who.memberId ?? 'watcher'}`),
  post: (url, { room, memberId, seq, location }) =>
    httpPost(
      url,
      '/trpc/postLocation',
      { room, connectionKey: keyOf(memberId), seq, location: null, presence: { pointer: location } },
      `x-member: ${memberId}`,
    ),
}

/** With each move, a member sends a broadcast too. */
const storm = {
  ...trpc,
  broadcast: (url, { room, memberId }) =>
    httpPost(url, '/trpc/broadcastToRoom', { room, connectionKey: keyOf(memberId), name: 'wave', payload: 'hello' }),
}

const sse = {
  framing: 'chunks',
  open: (url, { room }) => openSse(url, `/stream?room=${room}`),
  post: (url, { room, memberId, location }) => httpPost(url, '/post', { room, memberId, location }),
  isSnapshot: (text) => text.includes('['),
}

const ws = {
  framing: 'websocket',
  open: (url, { room }) => openWebSocket(url, `/?room=${room}`),
  post: (_url, { memberId, location }) => maskedText(JSON.stringify({ memberId, location })),
  isSnapshot: (text) => text.includes('['),
}

/** The first message is sent right after the upgrade request: the server handles it when the socket is open. */
const trpcSocket = {
  framing: 'websocket',
  open(url, { room, memberId }) {
    const input = memberId === null ? { room } : { room, connectionKey: keyOf(memberId) }
    const subscribe = { id: 1, method: 'subscription', params: { path: 'onLocation', input } }
    return Buffer.concat([Buffer.from(openWebSocket(url, '/trpc')), maskedText(JSON.stringify(subscribe))])
  },
  post(_url, { room, memberId, seq, location }) {
    const input = { room, connectionKey: keyOf(memberId), seq, location }
    return maskedText(JSON.stringify({ id: -seq, method: 'mutation', params: { path: 'postLocation', input } }))
  },
  isSnapshot: (text) => text.includes('"type":"snapshot"'),
}

const socketIo = {
  framing: 'websocket',
  open: (url) => openWebSocket(url, '/socket.io/?EIO=4&transport=websocket'),
  post: (_url, { memberId, location }) => maskedText(`42${JSON.stringify(['post', { memberId, location }])}`),
  isSnapshot: (text) => text.startsWith('42["locations"'),
  /** The replies that the protocol needs: engine.io's pong, and the two steps of a connect. */
  reply(text, { room }) {
    if (text === '2') return maskedText('3')
    if (text.startsWith('0{')) return maskedText('40')
    if (text.startsWith('40')) return maskedText(`42${JSON.stringify(['join', room])}`)
    return null
  },
}

export const dialects = { trpc, pointers, storm, trpcGzip, trpcSocket, sse, ws, socketIo }
