import * as z from 'zod'

export const location = z.object({ page: z.string().min(1), line: z.int().min(0), note: z.string().optional() })
