import { createHmac, randomBytes } from 'node:crypto'

/** Receives the log messages of a hub. `console` implements it. */
export interface Logger {
  /** Receives messages for information, such as a limit that is disabled. */
  info(message: string, details?: object): void
  /** Receives messages that an operator should look at, such as a slow backend. */
  warn(message: string, details?: object): void
  /** Receives messages about failures, such as an unreachable backend or a listener that throws. */
  error(message: string, details?: object): void
}

/** Logs nothing: `createLocationServer({ logger: silentLogger })`. */
export const silentLogger: Logger = { info() {}, warn() {}, error() {} }

const lineOf = (message: string, details?: object) => (details === undefined ? [message] : [message, details])

/** Writes warnings and errors to the console, and no other lines. */
export const consoleLogger: Logger = {
  info() {},
  // oxlint-disable-next-line no-console
  warn: (message, details) => console.warn(...lineOf(message, details)),
  // oxlint-disable-next-line no-console
  error: (message, details) => console.error(...lineOf(message, details)),
}

/** A logger that takes the details before the message, such as pino. */
export type ObjectLogger = Record<'info' | 'warn' | 'error', (details: object, message: string) => void>

/**
 * Adapts pino, or a logger with the same signature, to `Logger`: `createLocationHub({ logger: pinoLogger(pino()) })`.
 * The detail `error` is passed on as `err`.
 */
export function pinoLogger(pino: ObjectLogger): Logger {
  // pino serializes an Error only under the key `err`.
  const renamed = ({ error, ...details }: { error?: unknown } = {}) =>
    error === undefined ? details : { ...details, err: error }
  return {
    info: (message, details) => pino.info(renamed(details), message),
    warn: (message, details) => pino.warn(renamed(details), message),
    error: (message, details) => pino.error(renamed(details), message),
  }
}

const secret = randomBytes(16)

/** A pseudonym for a room or a member in logs: constant while this process runs, and not reversible. */
export const nameInLogs = (id: string): string =>
  createHmac('sha256', secret).update(id).digest('base64url').slice(0, 10)
