import type { AnyTRPCRouter } from '@trpc/server'
import {
  incomingMessageToRequest,
  internal_exceptionHandler,
  nodeHTTPRequestHandler,
} from '@trpc/server/adapters/node-http'
import { resolveResponse } from '@trpc/server/http'
import type { Call, CallInput } from './direct-call.js'
import { readTarget } from './guard/request-target.js'
import type { NodeRequest, NodeResponse } from './sink.js'

/*
 * Responses that tRPC writes. This package formats no status, header, error or envelope itself: a call whose outcome is
 * known is put behind a router that only returns this outcome, and tRPC formats the response.
 */

/** The outcome of a call. */
export type TrpcOutcome =
  { contextError: unknown } | { ctx: unknown; value: unknown } | { ctx: unknown; error: unknown }

/** The options of tRPC's Node adapter, without `middleware`, which has already run. */
export type AdapterOptions = Omit<Parameters<typeof nodeHTTPRequestHandler>[0], 'req' | 'res' | 'path' | 'middleware'>
type HandlerOptions = Parameters<typeof nodeHTTPRequestHandler>[0]
type ResponseOptions = Parameters<typeof resolveResponse>[0]

/** Runs before tRPC handles the request: calls `next`, perhaps with an error, or throws. */
type Prelude = (next: (error?: unknown) => void) => void

/** Lets tRPC answer a request that has not been read yet. */
export function answerByTrpc(
  options: AdapterOptions,
  request: NodeRequest,
  response: NodeResponse,
  prelude: Prelude = (next) => next(),
): void {
  const path = readTarget(request.url).segment
  const middleware = (_req: unknown, _res: unknown, next: (error?: unknown) => void) => prelude(next)
  const all = { ...options, middleware, req: request, res: response, path } as HandlerOptions
  nodeHTTPRequestHandler(all).catch(internal_exceptionHandler(all))
}

/** Lets tRPC answer a call whose outcome is known. */
export function answerOutcome(
  options: AdapterOptions,
  { call, input, outcome }: { call: Call; input: CallInput; outcome: TrpcOutcome },
  request: NodeRequest,
  response: NodeResponse,
): void {
  const withOutcome = { ...options, ...routerWithOutcome(options.router, call, input, outcome) }
  const text = input.text()
  if (text === undefined) return answerByTrpc(withOutcome, request, response)
  // tRPC reads `request.body` synchronously; the property is restored so that no other handler sees the text.
  const before = Object.getOwnPropertyDescriptor(request, 'body')
  request.body = text
  answerByTrpc(withOutcome, request, response)
  if (before) Object.defineProperty(request, 'body', before)
  else delete request.body
}

/** The status, the headers and the bytes that tRPC sends before the first event of a stream. */
export type StreamHead = { status: number; headers: Headers; preamble: string }

/** Returns the head of the stream that a call opens; null when the app's options prevent the stream. */
export async function streamHead(
  options: AdapterOptions,
  { call, input, ctx }: { call: Call; input: CallInput; ctx: unknown },
  request: NodeRequest,
  response: NodeResponse,
): Promise<StreamHead | null> {
  const resolved = resolveResponse({
    ...options,
    // The app's `onError` is not called here: an error is reported later, when the request is answered.
    onError: undefined,
    ...routerWithOutcome(options.router, call, input, { ctx, value: pendingEvents }),
    req: incomingMessageToRequest(request, response, { maxBodySize: null }),
    path: call.path,
    error: null,
  } as ResponseOptions)
  const answer = await resolved.catch(() => null)
  if (answer?.headers.get('content-type') !== 'text/event-stream') return null
  const { status, headers, body } = answer
  const reader = body!.getReader()
  const decoder = new TextDecoder()
  let preamble = ''
  while (!preamble.endsWith('\n\n\n')) {
    const { value, done } = await reader.read()
    if (done) break
    preamble += decoder.decode(value, { stream: true })
  }
  await reader.cancel()
  return { status, headers, preamble }
}

/** A stream of events that yields nothing until it is cancelled. */
const pendingEvents: AsyncIterable<never> = {
  [Symbol.asyncIterator]: () => ({
    next: () => new Promise<never>(() => {}),
    return: async () => ({ done: true, value: undefined }),
  }),
}

/** Returns a router and a `createContext` that only reproduce a known outcome. */
function routerWithOutcome(router: AnyTRPCRouter, { path, procedure }: Call, input: CallInput, outcome: TrpcOutcome) {
  const resolve = async ({ getRawInput }: { getRawInput: () => Promise<unknown> }) => {
    // tRPC passes the input to `onError` only if the input was read: it is read here if the direct call has read it.
    if (input.wasRead()) await getRawInput().catch(() => {})
    if ('value' in outcome) return outcome.value
    throw 'error' in outcome ? outcome.error : outcome.contextError
  }
  const procedures = { [path]: Object.assign(resolve, { _def: procedure._def }) }
  return {
    router: { ...router, _def: { ...router._def, procedures } },
    async createContext() {
      if ('contextError' in outcome) throw outcome.contextError
      return outcome.ctx
    },
  }
}
