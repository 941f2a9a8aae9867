/** Where a hub says what its owner should know. `console` is one. */
export interface Logger {
  info(message: string, details?: object): void
  warn(message: string, details?: object): void
  error(message: string, details?: object): void
}

export const silentLogger: Logger = { info() {}, warn() {}, error() {} }
