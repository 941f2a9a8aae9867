/** An argument of Svelte's and Solid's functions: a value, or a function that reads reactive state. */
export type MaybeGetter<V> = V | (() => V)

/** Returns the present value of an argument: the value itself, or the result of the function. */
export const valueOf = <V>(argument: MaybeGetter<V>): V =>
  typeof argument === 'function' ? (argument as () => V)() : argument
