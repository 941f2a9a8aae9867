import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

type Line = { near: Socket; far: Socket; isSubscriber: boolean; isFrozen: boolean }

/** A proxy in front of Redis that can treat subscribing connections differently from those that send commands. */
export interface RedisProxy extends AsyncDisposable {
  readonly port: number
  readonly url: string
  /** The port of the Redis to which new connections are forwarded. */
  target: number
  /** The delay of each reply in milliseconds. */
  delayMs: number
  /** Stops forwarding on the current subscribing connections without closing them. */
  freezeSubscribers(): void
  /** Closes the current subscribing connections. */
  cutSubscribers(): void
  /** Closes all connections. */
  cut(): void
}

export async function redisProxy(target: number): Promise<RedisProxy> {
  const lines = new Set<Line>()
  const server = createServer((near) => {
    const line: Line = { near, far: connect(proxy.target, '127.0.0.1'), isSubscriber: false, isFrozen: false }
    lines.add(line)
    near.on('data', (bytes) => {
      line.isSubscriber ||= /ssubscribe/i.test(bytes.toString('latin1'))
      if (!line.isFrozen) line.far.write(bytes)
    })
    line.far.on('data', (bytes) => {
      const pass = () => void (line.isFrozen || near.write(bytes))
      if (proxy.delayMs > 0) setTimeout(pass, proxy.delayMs)
      else pass()
    })
    for (const socket of [near, line.far]) {
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => end(line))
    }
  })
  const end = (line: Line) => {
    lines.delete(line)
    line.near.destroy()
    line.far.destroy()
  }
  const subscribers = () => [...lines].filter(({ isSubscriber }) => isSubscriber)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const proxy: RedisProxy = {
    port,
    url: `redis://127.0.0.1:${port}`,
    target,
    delayMs: 0,
    freezeSubscribers: () => subscribers().forEach((line) => (line.isFrozen = true)),
    cutSubscribers: () => subscribers().forEach(end),
    cut: () => [...lines].forEach(end),
    async [Symbol.asyncDispose]() {
      proxy.cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}
