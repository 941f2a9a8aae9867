import { WebSocket } from 'ws'
import { until } from '../until.js'

export type SocketMessage = { id: number | string | null; [name: string]: unknown }

/** Opens a WebSocket that records every text that it receives, and its close code and reason. */
export function rawSocket(url: string, headers: Record<string, string> = {}) {
  const ws = new WebSocket(url.replace(/^http/, 'ws'), { headers })
  const texts: string[] = []
  let closed: { code: number; reason: string } | null = null
  let refused: number | null = null
  ws.on('message', (data) => texts.push((data as Buffer).toString()))
  ws.on('close', (code, reason) => (closed = { code, reason: reason.toString() }))
  ws.on('unexpected-response', (_request, response) => {
    refused = response.statusCode ?? 0
    response.destroy()
  })
  ws.on('error', () => {})
  const self = {
    ws,
    texts,
    /** The close code and reason of the socket; null while it is open. */
    get closed() {
      return closed
    },
    /** The HTTP status with which the server refused the upgrade, or null. */
    get refused() {
      return refused
    },
    get messages() {
      return texts.filter((text) => text.startsWith('{')).map((text) => JSON.parse(text) as SocketMessage)
    },
    async opened() {
      await until('the socket is open', () => ws.readyState === WebSocket.OPEN || closed)
      return self
    },
    send(...messages: unknown[]) {
      for (const each of messages) ws.send(typeof each === 'string' ? each : JSON.stringify(each))
    },
    /** Resolves when `count` texts have been received. */
    async has(count: number) {
      await until(`${count} texts are received, not only ${texts.length}`, () => texts.length >= count)
    },
    /** Resolves with the first message for which `fits` returns true. */
    async find(what: string, fits: (message: SocketMessage) => boolean, withinMs?: number) {
      let found: SocketMessage | undefined
      await until(what, () => (found = self.messages.find(fits)) !== undefined, withinMs)
      return found!
    },
    async closing(withinMs?: number) {
      await until('the socket is closed', () => closed, withinMs)
      return closed!
    },
    [Symbol.dispose]() {
      ws.terminate()
    },
  }
  return self
}
export type RawSocket = ReturnType<typeof rawSocket>
