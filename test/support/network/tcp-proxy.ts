import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A TCP proxy between two programs of this machine, which a test can freeze and cut. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number
  /** The port to which new connections are forwarded. */
  target: number
  /** Stops forwarding without closing anything. New connections are accepted, and not forwarded either. */
  freeze(): void
  /** Forwards the bytes that were held back. */
  thaw(): void
  /** Closes every connection. With `refuse`, new connections are closed at once too. */
  cut(refuse?: boolean): void
}

export async function tcpProxy(target: number): Promise<TcpProxy> {
  const pairs = new Set<[Socket, Socket]>()
  let isFrozen = false
  let refuses = false
  const server = createServer((near) => {
    if (refuses) return near.destroy()
    const far = connect(proxy.target, '127.0.0.1')
    const pair: [Socket, Socket] = [near, far]
    pairs.add(pair)
    for (const [from, to] of [pair, [far, near]] as const) {
      from.setNoDelay(true)
      from.on('data', (bytes) => void to.write(bytes))
      from.on('error', () => {})
      from.on('close', () => {
        pairs.delete(pair)
        to.destroy()
      })
      if (isFrozen) from.pause()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const all = (does: (socket: Socket) => void) => [...pairs].flat().forEach(does)
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    target,
    freeze() {
      isFrozen = true
      all((socket) => socket.pause())
    },
    thaw() {
      isFrozen = refuses = false
      all((socket) => socket.resume())
    },
    cut(refuse = false) {
      refuses = refuse
      all((socket) => socket.destroy())
    },
    async [Symbol.asyncDispose]() {
      refuses = true
      all((socket) => socket.destroy())
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}
