import type { IncomingMessage } from 'node:http'
import { getTRPCErrorFromUnknown, getTRPCErrorShape, type AnyTRPCRouter, type TRPCError } from '@trpc/server'
import { ignoreErrors } from '../access/app-callbacks.js'
import { toTRPCError } from '../procedures/trpc-errors.js'

/** The call that an error belongs to; for an error of the socket itself, only `type: 'unknown'`. */
export type ErrorSubject = {
  type: 'mutation' | 'query' | 'subscription' | 'unknown'
  path?: string | undefined
  input?: unknown
  ctx?: unknown
}

/** Receives the errors of calls, as tRPC's `onError` does. */
export type OnError = (about: ErrorSubject & { error: TRPCError; req: IncomingMessage }) => unknown

/**
 * The error that a client gets when the real error cannot be formatted. Like tRPC's own, it says nothing about the
 * cause.
 */
const plainError = {
  code: -32_603,
  message: 'Internal server error',
  data: { code: 'INTERNAL_SERVER_ERROR', httpStatus: 500 },
}

/** Formats answers as tRPC does: with the router's transformer and its error formatter. */
export class TrpcAnswers {
  readonly #router: AnyTRPCRouter
  readonly #onError: OnError | undefined

  constructor(router: AnyTRPCRouter, onError: OnError | undefined) {
    this.#router = router
    this.#onError = onError
  }

  get output(): { serialize(value: unknown): unknown } {
    return this.#router._def._config.transformer.output
  }

  /** Returns the reply of a call. @throws Error when the transformer or JSON cannot write the value. */
  reply(prefix: string, value: unknown): string {
    return `${prefix}${JSON.stringify({ result: { type: 'data', data: this.output.serialize(value) } }).slice(1)}`
  }

  /** Reports an error to the app, and returns it as the answer of a call. */
  refusal(prefix: string, cause: unknown, subject: ErrorSubject, req: IncomingMessage): string {
    return this.refusals([prefix], cause, subject, req)[0]!
  }

  /** Reports an error to the app once, and returns it as the answer of several calls. */
  refusals(prefixes: readonly string[], cause: unknown, subject: ErrorSubject, req: IncomingMessage): string[] {
    const shape = this.#shapeOf(cause, subject, req)
    return prefixes.map((prefix) => `${prefix}"error":${shape}}`)
  }

  /** Reports an error to the app, and returns it as a message about the socket. */
  socketError(cause: unknown, ctx: unknown, req: IncomingMessage): string {
    return this.refusal('{"id":null,', cause, { type: 'unknown', ctx }, req)
  }

  /** Reports an error to the app, and returns its shape as JSON. */
  #shapeOf(cause: unknown, subject: ErrorSubject, req: IncomingMessage): string {
    const error = getTRPCErrorFromUnknown(toTRPCError(cause))
    const { type, path, input, ctx } = subject
    try {
      ignoreErrors(this.#onError?.({ error, path, type, ctx, req, input }))
    } catch {
      // An error that the app's `onError` throws is ignored, as in tRPC.
    }
    const config = this.#router._def._config
    try {
      return JSON.stringify(this.output.serialize(getTRPCErrorShape({ config, error, type, path, input, ctx })))
    } catch {
      // The app's formatter or transformer threw, or returned a value that JSON cannot write.
      return JSON.stringify(this.output.serialize(plainError))
    }
  }
}
