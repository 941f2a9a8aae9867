/** A tRPC transformer that preserves dates. It rejects values that did not pass through it. */
export const tagged = {
  serialize: (value: unknown): unknown => ({
    tagged: JSON.stringify(value, function (this: Record<string, unknown>, key, item: unknown) {
      return this[key] instanceof Date ? { '@date': this[key].getTime() } : item
    }),
  }),
  deserialize(value: unknown): unknown {
    const { tagged } = value as { tagged: string | undefined }
    if (tagged === undefined) return undefined
    return JSON.parse(tagged, (_key, item: unknown) =>
      typeof item === 'object' && item !== null && '@date' in item ? new Date(item['@date'] as number) : item,
    )
  },
}
