import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface SlowProxy extends AsyncDisposable {
  readonly port: number
  /** The number of bytes sent to the client so far. */
  readonly bytes: number
}

const turnMs = 20

/**
 * Starts a proxy between a reader and a server on this machine that carries at most `bytesPerSecond` to the reader. The
 * buffers of the kernel hold a few megabytes more on either side.
 */
export async function slowProxy(port: number, bytesPerSecond: number): Promise<SlowProxy> {
  let bytes = 0
  const sockets = new Set<Socket>()
  const keep = (socket: Socket) => sockets.add(socket.on('error', () => {}))
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    keep(near).add(far)
    keep(far)
    near.pipe(far)
    far.pause()
    const turn = setInterval(() => {
      const most = Math.ceil((bytesPerSecond * turnMs) / 1_000)
      const chunk = far.read(Math.min(far.readableLength, most)) as Buffer | null
      // `read(0)` starts the next read from the kernel without consuming data.
      if (far.readableLength === 0) far.read(0)
      if (!chunk) return
      bytes += chunk.length
      near.write(chunk)
    }, turnMs)
    const close = () => {
      clearInterval(turn)
      near.destroy()
      far.destroy()
    }
    near.on('close', close)
    far.on('close', close)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    get bytes() {
      return bytes
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
