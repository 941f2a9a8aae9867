import { createHmac, randomBytes } from 'node:crypto'

/** Where a hub says what its owner should know. `console` is one. */
export interface Logger {
  info(message: string, details?: object): void
  warn(message: string, details?: object): void
  error(message: string, details?: object): void
}

export const silentLogger: Logger = { info() {}, warn() {}, error() {} }

/** A logger that takes the details first, such as pino's. */
export type ObjectLogger = Record<'info' | 'warn' | 'error', (details: object, message: string) => void>

/** pino, or what is called like it, as a `logger`: `createLocationHub({ logger: pinoLogger(pino()) })`. */
export function pinoLogger(pino: ObjectLogger): Logger {
  // pino writes out an error only under its own name for one.
  const renamed = ({ error, ...details }: { error?: unknown } = {}) =>
    error === undefined ? details : { ...details, err: error }
  return {
    info: (message, details) => pino.info(renamed(details), message),
    warn: (message, details) => pino.warn(renamed(details), message),
    error: (message, details) => pino.error(renamed(details), message),
  }
}

const secret = randomBytes(16)

/** A room or a member in a log: the same for the same, for as long as this process lives, and nobody's name. */
export const nameInLogs = (id: string): string =>
  createHmac('sha256', secret).update(id).digest('base64url').slice(0, 10)
