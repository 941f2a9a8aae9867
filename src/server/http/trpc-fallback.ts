import type { AnyTRPCRouter } from '@trpc/server'
import {
  incomingMessageToRequest,
  internal_exceptionHandler,
  nodeHTTPRequestHandler,
} from '@trpc/server/adapters/node-http'
import { resolveResponse } from '@trpc/server/http'
import type { Call, CallInput } from './direct-call.js'
import type { NodeRequest, NodeResponse } from './sink.js'

/*
 * What tRPC answers. We make no status, header, error or envelope of our own: a call whose outcome is known is put behind
 * a router that has only this outcome to give, and tRPC makes the answer.
 */

/** What a call came to. */
export type TrpcOutcome =
  { contextError: unknown } | { ctx: unknown; value: unknown } | { ctx: unknown; error: unknown }

/** The options of tRPC's Node adapter; `middleware` has been run. */
export type AdapterOptions = Omit<Parameters<typeof nodeHTTPRequestHandler>[0], 'req' | 'res' | 'path' | 'middleware'>
type HandlerOptions = Parameters<typeof nodeHTTPRequestHandler>[0]
type ResponseOptions = Parameters<typeof resolveResponse>[0]

/** What went before: it calls `next`, perhaps with an error, or throws. */
type Prelude = (next: (error?: unknown) => void) => void

/** Answers a request that nobody has read yet. */
export function answerByTrpc(
  options: AdapterOptions,
  request: NodeRequest,
  response: NodeResponse,
  prelude: Prelude = (next) => next(),
): void {
  const { url = '' } = request
  const [pathname = ''] = url.split(/[?#]/, 1)
  const path = pathname.slice(pathname.lastIndexOf('/') + 1)
  const middleware = (_req: unknown, _res: unknown, next: (error?: unknown) => void) => prelude(next)
  const all = { ...options, middleware, req: request, res: response, path } as HandlerOptions
  nodeHTTPRequestHandler(all).catch(internal_exceptionHandler(all))
}

/** Answers a call whose outcome is known. */
export function answerOutcome(
  options: AdapterOptions,
  { call, input, outcome }: { call: Call; input: CallInput; outcome: TrpcOutcome },
  request: NodeRequest,
  response: NodeResponse,
): void {
  const known = { ...options, ...concluded(options.router, call, input, outcome) }
  const text = input.text()
  if (text === undefined) return answerByTrpc(known, request, response)
  // tRPC takes the body from here, and at once: nobody else finds it on the request.
  const before = Object.getOwnPropertyDescriptor(request, 'body')
  request.body = text
  answerByTrpc(known, request, response)
  if (before) Object.defineProperty(request, 'body', before)
  else delete request.body
}

/** What tRPC sends before the first event of a stream. */
export type StreamHead = { status: number; headers: Headers; preamble: string }

/** The head of the stream that a call opens; `null` when the app's options do not let it open. */
export async function streamHead(
  options: AdapterOptions,
  { call, input, ctx }: { call: Call; input: CallInput; ctx: unknown },
  request: NodeRequest,
  response: NodeResponse,
): Promise<StreamHead | null> {
  const resolved = resolveResponse({
    ...options,
    // What is wrong is told to the app when it is answered.
    onError: undefined,
    ...concluded(options.router, call, input, { ctx, value: silence }),
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

const silence: AsyncIterable<never> = {
  [Symbol.asyncIterator]: () => ({
    next: () => new Promise<never>(() => {}),
    return: async () => ({ done: true, value: undefined }),
  }),
}

/** The router and the context, with nothing left to happen. */
function concluded(router: AnyTRPCRouter, { path, procedure }: Call, input: CallInput, outcome: TrpcOutcome) {
  const conclude = async ({ getRawInput }: { getRawInput: () => Promise<unknown> }) => {
    // Whoever reports an error shows the input, if it was read.
    if (input.wasRead()) await getRawInput().catch(() => {})
    if ('value' in outcome) return outcome.value
    throw 'error' in outcome ? outcome.error : outcome.contextError
  }
  const procedures = { [path]: Object.assign(conclude, { _def: procedure._def }) }
  return {
    router: { ...router, _def: { ...router._def, procedures } },
    async createContext() {
      if ('contextError' in outcome) throw outcome.contextError
      return outcome.ctx
    },
  }
}
