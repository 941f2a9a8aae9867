import type { IncomingMessage } from 'node:http'
import { callTRPCProcedure, TRPCError } from '@trpc/server'
import { LocationError } from '../../shared/errors.js'
import type { ByeReason } from '../../shared/events.js'
import { directPostOf } from '../procedures/direct-post.js'
import { AppCalls } from './app-calls.js'
import { prefixOf } from './message-bytes.js'
import type { ContextResult } from './socket-context.js'
import {
  BadId,
  sizeRefusal,
  sortMessages,
  subscriptionsIn,
  type Item,
  type Messages,
  type OwnCall,
} from './socket-messages.js'
import { SocketSubscription, type SubscriptionCall, type SubscriptionOwner } from './socket-subscription.js'

/** The maximum number of open subscriptions on one socket. */
const maxSubscriptions = 256

type DuplicateCall = { id: number | string; jsonrpc?: '2.0' | undefined; params: { path: string; input?: unknown } }
type AppItem = Extract<Item, { kind: 'app' }>
type AppCall = DuplicateCall & { method: 'query' | 'mutation' | 'subscription' }

const tooMany = () => new LocationError('room-full', `A socket may have at most ${maxSubscriptions} subscriptions.`)

/** The parts of a socket that its calls need. */
export interface CallsOwner extends SubscriptionOwner {
  /** The outcome of `createContext`; null while it is not known. */
  readonly knownContext: ContextResult | null
  readonly isClosing: boolean
  contextResult(): Promise<ContextResult>
  /** Called when a call was answered or a subscription of the app has ended. */
  settled(): void
  /** Closes the socket after a fault of the server. */
  fail(cause: unknown): void
}

/** The calls and subscriptions of one socket: runs those of location procedures, and leaves all others to tRPC. */
export class SocketCalls {
  readonly #owner: CallsOwner
  readonly #req: IncomingMessage
  readonly #subscriptions = new Map<number | string, SocketSubscription>()
  #app: AppCalls | null = null
  #pending = 0
  /** The number of the app's subscriptions that wait for the context. */
  #waiting = 0

  constructor(owner: CallsOwner, req: IncomingMessage) {
    this.#owner = owner
    this.#req = req
  }

  /** The open location subscriptions whose streams no middleware of the app has wrapped. */
  get #own(): readonly SocketSubscription[] {
    return [...this.#subscriptions.values()]
  }

  /** The members whose streams are open; `undefined` for a stream that is about to open. */
  get streamMembers(): readonly (string | null | undefined)[] {
    return [...this.#own.map(({ memberId }) => memberId), ...(this.#app?.streamMembers ?? [])]
  }

  get hasStreams(): boolean {
    return this.streamMembers.length > 0
  }

  /** The number of subscriptions that the client may still open. */
  get #vacant(): number {
    return maxSubscriptions - this.#subscriptions.size - (this.#app?.subscriptions ?? 0) - this.#waiting
  }

  get isIdle(): boolean {
    return this.#subscriptions.size === 0 && this.#pending === 0 && (this.#app?.isIdle ?? true)
  }

  /** The number of queries and mutations without an answer. */
  get pending(): number {
    return this.#pending + (this.#app?.pending ?? 0)
  }

  handleBinary(data: Buffer): void {
    this.#leaveToApp((app) => app.deliverRaw(data, true))
  }

  sendWrapped(call: SubscriptionCall, ctx: unknown, value: unknown, controller: AbortController): void {
    this.#appCalls().deliverStream(call, ctx, value, controller)
  }

  /** Releases the id of a subscription. */
  release(subscription: SocketSubscription): void {
    const { id } = subscription.call
    if (this.#subscriptions.get(id) === subscription) this.#subscriptions.delete(id)
  }

  renewContext(): void {
    this.#app?.renewContext()
  }

  /** Ends all streams because the server closes the socket. */
  endStreams(reason: 'draining' | 'expired' | 'slow'): void {
    for (const subscription of this.#own) subscription.endFor(reason)
    this.#subscriptions.clear()
    this.#app?.endStreams()
  }

  /** Ends all calls and subscriptions after the socket has closed. */
  close(): void {
    for (const subscription of this.#own) subscription.close()
    this.#subscriptions.clear()
    this.#app?.close()
  }

  /** Handles a text message of the client. */
  handle(text: string, data: Buffer): void {
    let parsed: unknown
    try {
      parsed = JSON.parse(text)
    } catch {
      return this.#leaveToApp((app) => app.deliverRaw(data, false))
    }
    let messages: Messages | null
    try {
      messages = sortMessages(parsed, this.#owner.environment.router)
    } catch (error) {
      if (!(error instanceof BadId)) throw error
      const badId = new LocationError('bad-input', 'A request id must be an integer or a text of at most 64 bytes.')
      return this.#owner.writer.text(this.#owner.environment.answers.socketError(badId, undefined, this.#req))
    }
    if (!messages) return this.#leaveToApp((app) => app.deliverInvalid(parsed))
    const refusal = sizeRefusal(messages, data.length, this.#owner.environment)
    if (refusal) this.#refuseAll(messages, refusal)
    // The array is passed on whole, because tRPC tells a procedure its index in the array.
    else if (messages.items.every((item) => this.#isApps(item)) && subscriptionsIn(messages.items) <= this.#vacant)
      this.#leaveToApp((app) => app.deliver(parsed), messages.items)
    else for (const item of messages.items) this.#handleItem(item)
  }

  #isApps(item: Item): boolean {
    if (item.kind === 'stop') return !this.#subscriptions.has(item.id)
    return item.kind === 'app' && !(item.isSubscription && item.id !== null && this.#subscriptions.has(item.id))
  }

  /** Answers each request of a message with an error, and reports the error once, as tRPC does. */
  #refuseAll({ ids, items }: Messages, error: Error): void {
    const ctx = this.#owner.knownContext?.ok ? this.#owner.knownContext.value : undefined
    const [first] = items
    const jsonrpc = first?.kind === 'own' ? first.call.jsonrpc : undefined
    this.#owner.environment.answers
      .refusals(
        ids.map((id) => prefixOf(id, jsonrpc)),
        error,
        { type: 'unknown', ctx },
        this.#req,
      )
      .forEach((text) => this.#owner.writer.text(text))
  }

  #handleItem(item: Item): void {
    if (item.kind === 'stop') {
      const own = this.#subscriptions.get(item.id)
      if (own) own.stop()
      else this.#leaveToApp((app) => app.deliver(item.raw))
    } else if (item.kind === 'own' && item.call.type !== 'subscription') this.#guard(this.#run(item.call))
    else if (item.kind === 'own') this.#subscribe(item.call)
    else if (!this.#isApps(item)) this.#refuseDuplicate(item.raw as DuplicateCall)
    else if (subscriptionsIn([item]) > this.#vacant) this.#refuseCall(item, tooMany())
    else this.#leaveToApp((app) => app.deliver(item.raw), [item])
  }

  #subscribe({ id, jsonrpc, path, input }: OwnCall): void {
    if (this.#subscriptions.has(id) || this.#app?.owns(id))
      return this.#refuseDuplicate({ id, jsonrpc, params: { path, input } })
    const prefix = prefixOf(id, jsonrpc)
    if (this.#vacant <= 0) return this.#owner.refuse(prefix, tooMany(), { type: 'subscription', path, input })
    const subscription = new SocketSubscription({ id, prefix, path, input }, this.#owner)
    this.#subscriptions.set(id, subscription)
    this.#guard(subscription.open())
  }

  #refuseDuplicate({ id, jsonrpc, params: { path, input } }: DuplicateCall): void {
    const error = new TRPCError({ code: 'BAD_REQUEST', message: `Duplicate id ${id}` })
    const ctx = this.#owner.knownContext?.ok ? this.#owner.knownContext.value : undefined
    this.#owner.refuse(prefixOf(id, jsonrpc), error, { type: 'subscription', path, input, ctx })
  }

  /**
   * Hands messages to tRPC once the context is known. If the socket was refused, the calls are answered here: tRPC
   * itself would not check that.
   */
  #leaveToApp(deliver: (app: AppCalls) => void, items: readonly Item[] = []): void {
    if (this.#owner.knownContext?.ok) return deliver(this.#appCalls())
    this.#guard(this.#leaveLater(deliver, items))
  }

  async #leaveLater(deliver: (app: AppCalls) => void, items: readonly Item[]): Promise<void> {
    const subscriptions = subscriptionsIn(items)
    this.#pending += 1
    this.#waiting += subscriptions
    const result = await this.#owner.contextResult().finally(() => {
      this.#pending -= 1
      this.#waiting -= subscriptions
    })
    if (result.ok && !this.#owner.isClosing) deliver(this.#appCalls())
    this.#owner.settled()
    if (result.ok) return
    for (const item of items) if (item.kind === 'app' && item.id !== null) this.#refuseCall(item, result.error)
  }

  #refuseCall({ id, raw }: AppItem, error: Error): void {
    const { jsonrpc, method: type, params } = raw as AppCall
    this.#owner.refuse(prefixOf(id!, jsonrpc), error, { type, path: params.path, input: params.input })
  }

  async #run({ id, jsonrpc, type, path, procedure, input }: OwnCall): Promise<void> {
    const prefix = prefixOf(id, jsonrpc)
    const { router, answers } = this.#owner.environment
    this.#pending += 1
    let ctx: unknown
    try {
      ctx = await this.#owner.context()
      const getRawInput = async () => input
      const direct = directPostOf(procedure)
      const value = direct
        ? await direct(ctx, getRawInput)
        : await callTRPCProcedure({
            router,
            path,
            type,
            ctx,
            getRawInput,
            signal: new AbortController().signal,
            batchIndex: 0,
          })
      this.#owner.writer.text(answers.reply(prefix, value))
    } catch (cause) {
      this.#owner.refuse(prefix, cause, { type, path, input, ctx })
    } finally {
      this.#pending -= 1
      this.#owner.settled()
    }
  }

  /** Handles rejections of `work`: an unhandled rejection would end the process. */
  #guard(work: Promise<void>): void {
    work.catch((cause: unknown) => this.#owner.fail(cause))
  }

  #appCalls(): AppCalls {
    if (this.#app) return this.#app
    const { environment, writer } = this.#owner
    const context = () => this.#owner.context()
    const onSettled = () => this.#owner.settled()
    const onStreamEnded = (reason: ByeReason) => {
      if (reason === 'draining') this.#owner.closeDraining()
      else if (reason === 'expired') this.#owner.closeExpired()
      else this.#owner.terminate()
    }
    return (this.#app = new AppCalls({ environment, req: this.#req, writer, context, onSettled, onStreamEnded }))
  }
}
