import type { ProcedureNames } from '../connection/transport.js'

type Transformer = { serialize(value: unknown): unknown; deserialize(value: unknown): unknown }

/** Writes calls with the full names of procedures, and applies the app's transformer to inputs and outputs. */
export type ProcedureWire = {
  params(procedure: string, input: unknown): object
  output(data: unknown): unknown
}

export function procedureWire({ prefix, transformer }: ProcedureNames): ProcedureWire {
  const { input, output } = transformersOf(transformer)
  return {
    params: (procedure, value) => ({ path: prefix + procedure, input: input.serialize(value) }),
    output: (data) => output.deserialize(data),
  }
}

const identity: Transformer = { serialize: (value) => value, deserialize: (value) => value }

function transformersOf(transformer: unknown): { input: Transformer; output: Transformer } {
  if (!transformer) return { input: identity, output: identity }
  const both = transformer as { input: Transformer; output: Transformer }
  return 'input' in both ? both : { input: transformer as Transformer, output: transformer as Transformer }
}
