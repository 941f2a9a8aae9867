import type { IncomingMessage } from 'node:http'
import type { TRPCError } from '@trpc/server'
import type { WebSocket } from 'ws'
import { LocationError } from '../../shared/errors.js'
import { locationErrorIn } from '../procedures/trpc-errors.js'
import { SocketCalls, type CallsOwner } from './socket-calls.js'
import { announcesParams, connectionParamsIn, isRefusal, SocketContext, type ContextResult } from './socket-context.js'
import { closeCodes, type SocketEnvironment } from './socket-environment.js'
import type { SocketSubscription, SubscriptionCall } from './socket-subscription.js'
import type { SocketWriter } from './socket-writer.js'
import type { ErrorSubject } from './trpc-answers.js'

/**
 * Reading from a socket pauses while more than `maxUnsentBytes` bytes wait for its client, or while `maxPending` calls
 * are in progress.
 */
const maxUnsentBytes = 2 ** 20
const maxPending = 64
/** The time in milliseconds for which a draining socket waits for the answers of its calls. */
export const drainMs = 5_000

/** One empty function for all sockets, to save memory. */
const nothing = (): void => {}

export type SessionOptions = {
  environment: SocketEnvironment
  ws: WebSocket
  req: IncomingMessage
  writer: SocketWriter
  /**
   * Called once per socket, with its first context. @throws LocationError when the caller's address has too many
   * sockets.
   */
  admit: (session: SocketSession, ctx: unknown) => void
}

/** One open socket: sorts its messages, runs the calls of location procedures, and leaves all others to tRPC. */
export class SocketSession implements CallsOwner {
  readonly environment: SocketEnvironment
  readonly writer: SocketWriter
  readonly #ws: WebSocket
  readonly #req: IncomingMessage
  readonly #admit: (session: SocketSession, ctx: unknown) => void
  readonly #contexts: SocketContext
  readonly #calls: SocketCalls
  #controller: AbortController | null = null
  /** The context; `null` until the connection parameters have arrived. */
  #context: Promise<ContextResult> | null = null
  /** The outcome of `#context`, once it is known. */
  knownContext: ContextResult | null = null
  #memberId: string | null | undefined
  isClosing = false
  #isDraining = false
  #cancelDrain = nothing
  /** The time at which the last message, pongs included, arrived from the client. */
  receivedAt: number
  /** The time at which the last call or subscription began or ended. */
  activeAt: number
  /** The time at which the context was last created. */
  checkedAt: number

  constructor({ environment, ws, req, writer, admit }: SessionOptions) {
    this.environment = environment
    this.writer = writer
    this.#ws = ws
    this.#req = req
    this.#admit = admit
    this.#calls = new SocketCalls(this, req)
    this.receivedAt = this.activeAt = this.checkedAt = environment.clock.now()
    this.#contexts = new SocketContext(environment, req, ws, () => (this.#controller ??= new AbortController()).signal)
    if (!announcesParams(req)) this.#begin()
  }

  /** True while the socket has neither a subscription nor a call. */
  get isIdle(): boolean {
    return this.#calls.isIdle
  }

  /** True while a stream of a room is open. */
  get hasStreams(): boolean {
    return this.#calls.hasStreams
  }

  /** True while a query or mutation has no answer. */
  get hasCalls(): boolean {
    return this.#calls.pending > 0
  }

  /** Handles a message of the client. */
  handle(data: Buffer, isBinary: boolean): void {
    this.receivedAt = this.environment.clock.now()
    if (this.isClosing) return
    const text = isBinary ? '' : data.toString()
    if (text === 'PONG') return
    if (text === 'PING') this.writer.text('PONG')
    else if (!this.#context) this.#begin(() => connectionParamsIn(text))
    else if (isBinary) this.#calls.handleBinary(data)
    else this.#calls.handle(text, data)
    this.regulate()
  }

  /** Pauses reading from the socket while its client does not read, or has many calls in progress. */
  regulate(): void {
    const isBusy = this.writer.unsentBytes > maxUnsentBytes || this.#calls.pending >= maxPending
    if (isBusy && !this.#ws.isPaused) this.#ws.pause()
    else if (!isBusy && this.#ws.isPaused) this.#ws.resume()
  }

  /** Creates the app's context again, and closes the socket when it now belongs to another member or to nobody. */
  async recheck(): Promise<void> {
    this.checkedAt = this.environment.clock.now()
    if (!this.#context) return
    const result = await this.#contexts.create()
    if (this.isClosing) return
    const refusal = result.ok ? await this.#changeOf(result.value) : isRefusal(result.error) ? result.error : null
    if (refusal) return this.#closeWith(refusal, closeCodes.policyViolation)
    if (!result.ok || this.isClosing) return
    this.#context = Promise.resolve(result)
    this.knownContext = result
    this.#calls.renewContext()
  }

  async context(): Promise<unknown> {
    const result = await this.#context!
    if (!result.ok) throw result.error
    return result.value
  }

  contextResult(): Promise<ContextResult> {
    return this.#context!
  }

  refuse(prefix: string, cause: unknown, subject: ErrorSubject): void {
    this.writer.text(this.environment.answers.refusal(prefix, cause, subject, this.#req))
  }

  ended(subscription: SocketSubscription): void {
    this.activeAt = this.environment.clock.now()
    this.#calls.release(subscription)
  }

  sendWrapped(call: SubscriptionCall, ctx: unknown, value: unknown, controller: AbortController): void {
    this.#calls.sendWrapped(call, ctx, value, controller)
  }

  closeLater(cause: unknown): void {
    this.#closeWith(cause, closeCodes.tryAgainLater)
  }

  closeExpired(): void {
    const error = new LocationError('unauthorized', 'Your sign-in has expired: sign in, then connect again.')
    this.#closeWith(error, closeCodes.policyViolation)
  }

  closeIdle(): void {
    const error = new LocationError(
      'closed',
      'The socket had neither a subscription nor a call: connect when there is one.',
    )
    this.#closeWith(error, closeCodes.normal)
  }

  /** Closes a socket that is not allowed to open, with the reason. */
  closeRefused(cause: unknown): void {
    this.#closeWith(cause, closeCodes.policyViolation)
  }

  /** Ends the streams, and closes the socket once its calls are answered. */
  closeDraining(): void {
    if (this.#isDraining || this.isClosing) return
    this.#isDraining = true
    this.#calls.endStreams('draining')
    this.#cancelDrain = this.environment.clock.after(drainMs, () => this.#closeNow())
    this.settled()
  }

  terminate(): void {
    if (this.isClosing) return
    this.isClosing = true
    this.#calls.endStreams('slow')
    this.writer.terminate()
  }

  /** Destroys the socket, even in the middle of the closing handshake. */
  destroy(): void {
    this.isClosing = true
    this.writer.terminate()
  }

  /** Logs a fault of the server, and destroys the socket on which it happened. */
  fail(cause: unknown): void {
    this.environment.logger.error('A WebSocket was closed because handling it failed.', { error: cause })
    this.terminate()
  }

  /** Sends a ping; a client that is alive answers it. */
  ping(): void {
    if (this.writer.isOpen) this.#ws.ping()
  }

  /** Releases everything after the socket has closed. */
  close(): void {
    this.isClosing = true
    this.#cancelDrain()
    this.#calls.close()
    this.#controller?.abort()
    this.writer.release()
  }

  #begin(readParams?: () => ReturnType<typeof connectionParamsIn>): void {
    const create = async (): Promise<ContextResult> => {
      const result = await this.#contexts.create(readParams)
      this.knownContext = result
      // A socket that has closed meanwhile is not admitted: nothing would ever remove it from the count of open
      // sockets.
      if (this.isClosing) return result
      const error = result.ok ? this.#admissionError(result.value) : result.error
      if (!error) return result
      const code = isRefusal(error) ? closeCodes.policyViolation : closeCodes.tryAgainLater
      this.writer.text(this.environment.answers.socketError(error, undefined, this.#req))
      // Deferred, so that the calls that wait for the context are refused before the socket closes.
      setImmediate(() => this.writer.close(code, ''))
      return (this.knownContext = result.ok ? { ok: false, error: error as TRPCError } : result)
    }
    this.#context = create()
  }

  #admissionError(ctx: unknown): unknown {
    try {
      this.#admit(this, ctx)
      return null
    } catch (error) {
      return error
    }
  }

  settled(): void {
    this.activeAt = this.environment.clock.now()
    this.regulate()
    if (this.#isDraining && this.#calls.pending === 0) this.#closeNow()
  }

  /** Returns an error when the socket's caller is now another member or is no longer accepted; null otherwise. */
  async #changeOf(ctx: unknown): Promise<unknown> {
    const access = this.environment.access()
    if (!access) return null
    try {
      const memberId = await access.memberIdOf(ctx)
      const hasChanged = [this.#memberId, ...this.#calls.streamMembers].some(
        (known) => known !== undefined && known !== memberId,
      )
      this.#memberId = memberId
      return hasChanged ? new LocationError('unauthorized', 'You are signed in as somebody else: connect again.') : null
    } catch (error) {
      // Any other error may be temporary: the socket stays open, and the app is asked again later.
      const code = locationErrorIn(error)?.code
      return isRefusal(error) || code === 'unauthorized' || code === 'forbidden' ? error : null
    }
  }

  #closeWith(cause: unknown, code: number): void {
    if (this.isClosing) return
    this.isClosing = true
    this.#calls.endStreams(code === closeCodes.policyViolation ? 'expired' : 'draining')
    this.writer.text(this.environment.answers.socketError(cause, undefined, this.#req))
    this.writer.close(code, cause instanceof Error ? cause.message : '')
  }

  #closeNow(): void {
    if (this.isClosing) return
    this.isClosing = true
    this.#cancelDrain()
    this.writer.close(closeCodes.serviceRestart, 'The server restarts: connect again.')
  }
}
