/** One subscribing connection of a Redis client. */
export interface SubscriberConnection {
  /** Resolves with a function that unsubscribes. */
  subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<unknown>>
  /** Closes the connection, whatever state it is in. */
  close(): void
}

type Channel = {
  readonly listeners: Set<(message: string) => void>
  /** Resolves when the present connection has subscribed, with a function that unsubscribes. */
  subscribed: Promise<() => Promise<unknown>>
}

/** The subscriptions of a port. They move to another connection when the present one is replaced. */
export class Subscriptions {
  readonly #connect: (onGap: () => void) => SubscriberConnection
  readonly #channels = new Map<string, Channel>()
  readonly #gapListeners = new Set<() => void>()
  #connection: SubscriberConnection
  #onClosed: (error: Error) => void = () => {}
  #closed!: Promise<never>
  #isClosed = false

  /** @param connect opens a connection, and calls `onGap` whenever it may have missed messages. */
  constructor(connect: (onGap: () => void) => SubscriberConnection) {
    this.#connect = connect
    this.#connection = this.#open()
  }

  /** Resolves when subscribed, with a function that unsubscribes. */
  async subscribe(name: string, listener: (message: string) => void): Promise<() => Promise<void>> {
    this.#assertOpen()
    const channel = this.#channels.get(name) ?? this.#add(name)
    channel.listeners.add(listener)
    try {
      await settled(channel)
    } catch (error) {
      await this.#remove(name, channel, listener)
      throw error
    }
    return () => this.#remove(name, channel, listener)
  }

  onGap(listener: () => void): void {
    this.#gapListeners.add(listener)
  }

  /** Replaces the connection. Rejects when a channel could not be subscribed to over the new one. */
  async reconnect(): Promise<void> {
    this.#assertOpen()
    this.#closeConnection()
    this.#connection = this.#open()
    for (const [name, channel] of this.#channels) this.#subscribe(name, channel)
    const subscribing = Array.from(this.#channels.values(), ({ subscribed }) => subscribed)
    await Promise.all(subscribing).finally(() => this.#gap())
  }

  /** Closes the connection for good. */
  close(): void {
    this.#isClosed = true
    this.#closeConnection()
  }

  #closeConnection(): void {
    try {
      this.#connection.close()
    } finally {
      this.#onClosed(closedError())
    }
  }

  /** A client that was closed would connect again. */
  #assertOpen(): void {
    if (this.#isClosed) throw closedError()
  }

  #open(): SubscriberConnection {
    this.#closed = new Promise<never>((_, reject) => (this.#onClosed = reject))
    this.#closed.catch(() => {})
    return this.#connect(() => this.#gap())
  }

  #gap(): void {
    for (const listener of this.#gapListeners) listener()
  }

  #add(name: string): Channel {
    const channel: Channel = { listeners: new Set(), subscribed: this.#closed }
    this.#channels.set(name, channel)
    this.#subscribe(name, channel)
    return channel
  }

  #subscribe(name: string, channel: Channel): void {
    const deliver = (message: string) => {
      for (const listener of channel.listeners) listener(message)
    }
    channel.subscribed = Promise.race([this.#connection.subscribe(name, deliver), this.#closed])
    channel.subscribed.catch(() => {})
  }

  async #remove(name: string, channel: Channel, listener: (message: string) => void): Promise<void> {
    channel.listeners.delete(listener)
    if (channel.listeners.size > 0 || this.#channels.get(name) !== channel) return
    this.#channels.delete(name)
    const unsubscribe = await channel.subscribed.catch(() => null)
    await unsubscribe?.()
  }
}

const closedError = () => new Error('The subscribing connection was closed.')

/** Resolves when a channel is subscribed to over the present connection. */
async function settled(channel: Channel): Promise<void> {
  for (;;) {
    const { subscribed } = channel
    try {
      await subscribed
      return
    } catch (error) {
      // Another promise means that the connection was replaced meanwhile: wait for the new subscription.
      if (channel.subscribed === subscribed) throw error
    }
  }
}
