type VaryingResponse = { setHeader(name: string, value: string | string[]): unknown }

/** Returns a `Vary` header that names `field` too, and everything that it named before. */
export function withVaryField(vary: number | string | string[] | undefined, field: string): string {
  const current = [vary ?? []].flat().join(', ')
  const names = current.split(',').map((name) => name.trim().toLowerCase())
  if (names.includes('*') || names.includes(field)) return current
  return current ? `${current}, ${field}` : field
}

/**
 * Sets `Vary: <field>` on a response, and keeps the field when a later handler sets `Vary` again. A connect-style
 * middleware cannot hand a wrapped response to the next handler, and tRPC's adapter overwrites the header; therefore this
 * replaces the response's own `setHeader`.
 */
export function keepVaryField(response: VaryingResponse, field: string): void {
  const { setHeader } = response
  response.setHeader = function (this: VaryingResponse, name: string, value: string | string[]) {
    return setHeader.call(this, name, name.toLowerCase() === 'vary' ? withVaryField(value, field) : value)
  }
  setHeader.call(response, 'vary', field)
}
