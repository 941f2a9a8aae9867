import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerContext } from './server-context.js'

/** The key under which a context holds the response, for headers that depend on an error, such as `retry-after`. */
const responseKey = Symbol('response')

/** @param response the answer to the request; a WebSocket has none. */
export function contextOf(request: IncomingMessage, response?: ServerResponse): ServerContext {
  let headers: Headers | undefined
  return {
    // The headers are converted on first use: an anonymous server never reads them, and every post would pay for the
    // conversion.
    get headers() {
      return (headers ??= headersOf(request))
    },
    ip: request.socket.remoteAddress ?? '',
    [responseKey]: response,
  } as ServerContext
}

/** Sets the `retry-after` header, in whole seconds. A batch gets the longest wait of its calls. */
export function setRetryAfter(ctx: unknown, retryAfterMs: number): void {
  const response = (ctx as { [responseKey]?: ServerResponse } | undefined)?.[responseKey]
  if (!response || response.headersSent) return
  const seconds = Math.ceil(retryAfterMs / 1_000)
  response.setHeader('retry-after', Math.max(seconds, Number(response.getHeader('retry-after') ?? 0)))
}

function headersOf(request: IncomingMessage): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers))
    for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined) headers.append(name, each)
  return headers
}
