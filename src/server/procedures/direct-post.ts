import { TRPCError } from '@trpc/server'

/*
 * Runs `postLocation` without tRPC's middleware chain. The chain copies its options four times, which is a fifth of the
 * cost of a post. Without this file, every post goes through tRPC, with the same result.
 */

/** Runs a post, given the context and a function that reads the input. */
export type DirectPost = (ctx: unknown, getRawInput: () => Promise<unknown>) => Promise<unknown>

const directPosts = new WeakMap<object, DirectPost>()

/** Returns the function that runs a procedure without tRPC's middleware chain, if there is one. */
export const directPostOf = (procedure: object): DirectPost | undefined => directPosts.get(procedure)

/**
 * Sets the function that runs a procedure without tRPC's middleware chain, unless the base procedure has middlewares or
 * inputs: they would be skipped.
 */
export function allowDirectPost(procedure: object, baseProcedure: object, directPost: DirectPost): void {
  if (isBare(baseProcedure)) directPosts.set(procedure, directPost)
}

/** Throws the error of an input the way tRPC does. */
export function refuseInput(cause: unknown): never {
  throw new TRPCError({ code: 'BAD_REQUEST', cause })
}

function isBare(procedure: object): boolean {
  const { _def } = procedure as { _def: Record<string, unknown[] | undefined> }
  const { middlewares, inputs, caller } = _def
  return middlewares?.length === 0 && inputs?.length === 0 && caller === undefined
}
