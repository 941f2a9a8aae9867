import type { IncomingMessage } from 'node:http'
import { getTRPCErrorFromUnknown, TRPCError } from '@trpc/server'
import { parseConnectionParamsFromUnknown, type TRPCRequestInfo } from '@trpc/server/http'
import type { WebSocket } from 'ws'
import type { SocketEnvironment } from './socket-environment.js'

type ConnectionParams = TRPCRequestInfo['connectionParams']
export type ContextResult = { ok: true; value: unknown } | { ok: false; error: TRPCError }

/** The codes of errors that refuse a caller. Any other error of `createContext` may be temporary. */
const refusals = new Set(['UNAUTHORIZED', 'FORBIDDEN'])
export const isRefusal = (error: unknown) => error instanceof TRPCError && refusals.has(error.code)

/** Returns true when the URL of a WebSocket announces that the client's first message holds connection parameters. */
export const announcesParams = ({ url = '' }: IncomingMessage): boolean => /[?&]connectionParams=1(&|$)/.test(url)

/** Reads connection parameters from the first message, as tRPC does. @throws TRPCError `PARSE_ERROR` */
export function connectionParamsIn(text: string): ConnectionParams {
  let message: unknown
  try {
    message = JSON.parse(text)
    if (typeof message !== 'object' || message === null || Array.isArray(message))
      throw new Error('Message was not an object')
  } catch (cause) {
    throw new TRPCError({ code: 'PARSE_ERROR', message: 'Malformed TRPCConnectionParamsMessage', cause })
  }
  return parseConnectionParamsFromUnknown((message as { data?: unknown }).data)
}

/**
 * Creates the app's context for one socket: when it opens, and again every `timing.recheckMs`, because the session that
 * the context depends on may have changed.
 */
export class SocketContext {
  readonly #environment: SocketEnvironment
  readonly #req: IncomingMessage
  readonly #res: WebSocket
  readonly #signal: () => AbortSignal
  #params: ConnectionParams = null

  constructor(environment: SocketEnvironment, req: IncomingMessage, res: WebSocket, signal: () => AbortSignal) {
    this.#environment = environment
    this.#req = req
    this.#res = res
    this.#signal = signal
  }

  /** @param readParams returns the connection parameters; an error that it throws becomes the error of the result. */
  async create(readParams: () => ConnectionParams = () => this.#params): Promise<ContextResult> {
    try {
      const { createContext } = this.#environment
      this.#params = readParams()
      const signal = this.#signal
      const info: TRPCRequestInfo = {
        connectionParams: this.#params,
        calls: [],
        isBatchCall: false,
        accept: null,
        type: 'unknown',
        get signal() {
          return signal()
        },
        url: null,
      }
      return { ok: true, value: await createContext?.({ req: this.#req, res: this.#res, info }) }
    } catch (cause) {
      return { ok: false, error: getTRPCErrorFromUnknown(cause) }
    }
  }
}
