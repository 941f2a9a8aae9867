type HeaderResponse = { setHeader(name: string, value: string | string[]): unknown }

/** Returns a list header, such as `Vary`, with `field` added to the names that it already has. */
export function withField(header: number | string | string[] | undefined, field: string): string {
  const current = [header ?? []].flat().join(', ')
  const names = current.split(',').map((name) => name.trim().toLowerCase())
  if (names.includes('*') || names.includes(field)) return current
  return current ? `${current}, ${field}` : field
}

/**
 * Sets list headers of a response, such as `Vary`, and keeps their fields when a later handler sets the headers again.
 * A connect-style middleware cannot hand a wrapped response to the next handler, and tRPC's adapter overwrites the
 * headers; therefore this replaces the response's own `setHeader`.
 *
 * @param fields one field for each header name, in lower case.
 */
export function keepHeaderFields(response: HeaderResponse, fields: Readonly<Record<string, string>>): void {
  const { setHeader } = response
  for (const [name, field] of Object.entries(fields)) setHeader.call(response, name, field)
  response.setHeader = function (this: HeaderResponse, name: string, value: string | string[]) {
    const field = fields[name.toLowerCase()]
    return setHeader.call(this, name, field === undefined ? value : withField(value, field))
  }
}
