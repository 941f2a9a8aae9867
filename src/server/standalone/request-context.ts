import type { IncomingMessage } from 'node:http'

/** The request data that `identify` and `authorize` receive. */
export type ServerContext = {
  headers: Headers
  /** The address of the connection's peer; behind a proxy, the proxy's. */
  ip: string
}

export function contextOf(request: IncomingMessage): ServerContext {
  let headers: Headers | undefined
  return {
    // Created on first use: an anonymous server never reads them, and every post would pay for them.
    get headers() {
      return (headers ??= headersOf(request))
    },
    ip: request.socket.remoteAddress ?? '',
  }
}

function headersOf(request: IncomingMessage): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers))
    for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined) headers.append(name, each)
  return headers
}
