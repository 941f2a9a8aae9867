import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import type { Clock } from '../../shared/clock.js'
import type { Logger } from '../options/logger.js'

/** What a process needs beside its sockets: files, pipes, a backend, a page that is being read. */
const spare = 64
const quietMs = 10_000

/** How many files this process may have open, sockets among them; `Infinity` where the machine does not say. */
export function openFilesLimit(): number {
  try {
    // proc(5): the soft limit is the first number. Node has raised it to the hard one when it started.
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return soft === undefined ? Infinity : Number(soft)
  } catch {
    return Infinity
  }
}

/** As many sockets as may be had, and as leave something for all else. */
export const socketsWithin = (openFiles: number): number => Math.max(openFiles - spare, Math.floor(openFiles / 2))

/**
 * Bounds how many sockets a server has: one more is closed before a byte of it is read, and those who are here stay. Says
 * so now and then, since who floods a server must not flood its log.
 */
export function boundSockets(server: Server, most: number, { clock, logger }: { clock: Clock; logger: Logger }): void {
  server.maxConnections = most
  let quietUntil = -Infinity
  const say = (details: object) => {
    if (clock.now() < quietUntil) return
    quietUntil = clock.now() + quietMs
    logger.warn('sockets are turned away', details)
  }
  server.on('drop', () => say({ most }))
  // When even the descriptors run out that were left over: an event that nobody hears would end the process.
  server.on('error', (error) => server.listening && say({ error }))
}
