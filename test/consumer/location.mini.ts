import * as z from 'zod/mini'

export const location = z.object({
  page: z.string().check(z.minLength(1)),
  line: z.int().check(z.minimum(0)),
  note: z.optional(z.string()),
})
