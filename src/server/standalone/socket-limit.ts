import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import type { Clock } from '../../shared/clock.js'
import type { Logger } from '../options/logger.js'

/** File descriptors reserved for everything except clients: files, pipes, the backend's connections. */
const reserved = 64
/** The shortest time between two log lines: a flood of connections must not flood the log. */
const quietMs = 10_000

/**
 * Returns the number of file descriptors that this process may open, sockets included; `Infinity` where the system does
 * not report it.
 */
export function openFilesLimit(): number {
  try {
    // proc(5): the first number is the soft limit. Node raises it to the hard limit at startup.
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return soft === undefined ? Infinity : Number(soft)
  } catch {
    return Infinity
  }
}

/** Returns how many sockets fit into a descriptor limit, with some descriptors reserved for everything else. */
export const socketsWithin = (openFiles: number): number => Math.max(openFiles - reserved, Math.floor(openFiles / 2))

/**
 * Limits the number of sockets of a server. A connection above the limit is closed before a byte is read, and open
 * connections are kept. Logs this at most every 10 seconds.
 */
export function limitSockets(server: Server, most: number, { clock, logger }: { clock: Clock; logger: Logger }): void {
  server.maxConnections = most
  let quietUntil = -Infinity
  const warn = (details: object) => {
    if (clock.now() < quietUntil) return
    quietUntil = clock.now() + quietMs
    logger.warn('sockets are turned away', details)
  }
  server.on('drop', () => warn({ most }))
  // Emitted when even the reserved descriptors run out; without a listener, the event would end the process.
  server.on('error', (error) => server.listening && warn({ error }))
}
