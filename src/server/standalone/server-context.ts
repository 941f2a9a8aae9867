/** The request data that `identify` and `authorize` receive. */
export type ServerContext = {
  headers: Headers
  /** The address of the connection's peer; behind a proxy, the address of the proxy. */
  ip: string
}
