import type { AnyTRPCRouter } from '@trpc/server'
import { incomingMessageToRequest, nodeHTTPRequestHandler } from '@trpc/server/adapters/node-http'
import { resolveResponse } from '@trpc/server/http'
import type { Call, CallInput } from './http-call.js'
import type { NodeRequest, NodeResponse } from './sink.js'

/*
 * What tRPC answers. We make no status, header, error or envelope of our own: a call whose outcome is known is put behind
 * a router that has only this outcome to give, and tRPC makes the answer.
 */

/** What a call came to. */
export type Outcome = { contextError: unknown } | { ctx: unknown; value: unknown } | { ctx: unknown; error: unknown }

/** The options of tRPC's Node adapter; `middleware` has been run. */
export type AdapterOptions = Omit<Parameters<typeof nodeHTTPRequestHandler>[0], 'req' | 'res' | 'path' | 'middleware'>
type HandlerOptions = Parameters<typeof nodeHTTPRequestHandler>[0]
type ResponseOptions = Parameters<typeof resolveResponse>[0]

/** Answers a request that nobody has read yet. */
export function answerByTrpc(
  options: AdapterOptions,
  request: NodeRequest,
  response: NodeResponse,
  error?: unknown,
): void {
  const { url = '' } = request
  const [pathname = ''] = url.split('?', 1)
  const path = pathname.slice(pathname.lastIndexOf('/') + 1)
  const middleware = (_req: unknown, _res: unknown, next: (error?: unknown) => void) => next(error)
  void nodeHTTPRequestHandler({ ...options, middleware, req: request, res: response, path } as HandlerOptions)
}

/** Answers a call whose outcome is known. */
export function answerOutcome(
  options: AdapterOptions,
  { call, input, outcome }: { call: Call; input: CallInput; outcome: Outcome },
  request: NodeRequest,
  response: NodeResponse,
): void {
  const known = { ...options, ...concluded(options.router, call, input, outcome) }
  answerByTrpc(known, request, response)
}

/** What tRPC sends before the first event of a stream. */
export type StreamHead = { status: number; headers: Headers; preamble: string }

/** The head of the stream that a call opens. */
export async function streamHead(
  options: AdapterOptions,
  { call, input, ctx }: { call: Call; input: CallInput; ctx: unknown },
  request: NodeRequest,
  response: NodeResponse,
): Promise<StreamHead> {
  const { status, headers, body } = await resolveResponse({
    ...options,
    ...concluded(options.router, call, input, { ctx, value: silence }),
    req: incomingMessageToRequest(request, response, { maxBodySize: null }),
    path: call.path,
    error: null,
  } as ResponseOptions)
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
function concluded(router: AnyTRPCRouter, { path, procedure }: Call, input: CallInput, outcome: Outcome) {
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
