import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { AnyTRPCRouter } from '@trpc/server'
import { jsonLinesRefusal } from '../http/guard/call-limits.js'
import { ownerIn } from '../http/guard/call-owners.js'
import type { OriginRules } from '../http/guard/origin-check.js'
import { guardRequest } from '../http/guard/request-check.js'
import { readTarget } from '../http/guard/request-target.js'
import { serveInOrder } from '../http/pipelined-requests.js'
import { RequestHandler } from '../http/request-handler.js'
import type { AdapterOptions } from '../http/trpc-fallback.js'
import { cutWhenUnread } from '../http/unread-answers.js'
import type { Hub } from '../hub/hub.js'
import { retryAfterMsOf } from '../procedures/trpc-errors.js'
import { failureLogger } from './failure-logger.js'
import { contextOf, setRetryAfter } from './request-context.js'

export type RequestListenerOptions = {
  hub: Hub
  router: AnyTRPCRouter
  originRules: OriginRules
  compress: boolean | undefined
  /** Serves everything that is not below `/trpc`. */
  webApp: RequestListener
  /** Called with each request before it is served. */
  onRequest: (request: IncomingMessage) => void
}

/** Returns the listener of a server's requests: procedures below `/trpc`, and the web app everywhere else. */
export function requestListener(options: RequestListenerOptions): RequestListener {
  const { hub, router, originRules, webApp, onRequest } = options
  const { bodyBytes } = hub.limits
  const procedures = proceduresFor(router, hub, options.compress)
  const callsOf = ({ url }: IncomingMessage) =>
    readTarget(url)
      .calls.map((call) => ownerIn(router, call))
      .filter((owner) => typeof owner !== 'string')
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    onRequest(request)
    cutWhenUnread(response, hub.clock, hub.timing)
    response.setHeader('x-content-type-options', 'nosniff')
    response.setHeader('referrer-policy', 'no-referrer')
    // Requests under `/trpc` bypass Express, which costs more for each response than a whole post.
    if (!/^\/trpc(?=[/?]|$)/.test(request.url ?? '')) webApp(request, response)
    else if (
      guardRequest(request, response, originRules, {
        bodyBytes,
        check: () => jsonLinesRefusal(request, () => callsOf(request)),
      })
    )
      procedures.handle(request, response, bodyBytes)
  }
  return (request, response) => serveInOrder(request, response, () => answer(request, response))
}

function proceduresFor(router: AnyTRPCRouter, { limits, logger }: Pick<Hub, 'limits' | 'logger'>, compress = false) {
  const logFailure = failureLogger(logger)
  const options: AdapterOptions = {
    router,
    createContext: async ({ req, res }) => contextOf(req as IncomingMessage, res as ServerResponse),
    maxBatchSize: limits.batch,
    onError(failure) {
      const retryAfterMs = retryAfterMsOf(failure.error)
      if (retryAfterMs !== undefined) setRetryAfter(failure.ctx, retryAfterMs)
      logFailure(failure)
    },
  }
  return new RequestHandler(options, compress, true)
}
