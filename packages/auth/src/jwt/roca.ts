// Keys made by a flawed smart card library can be factored (Nemec et al., "The Return of Coppersmith's Attack", 2017).
// Their primes have the form k * M + 65537^a mod M with M the product of small primes, so the modulus, too, is a power
// of 65537 modulo each of those. For other keys that holds by chance once in about 2^28.

const PRIMES = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113,
  127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/** The powers of 65537 modulo each prime, made when the first RSA key arrives. */
let powers: readonly { readonly prime: bigint; readonly residues: ReadonlySet<number> }[] | undefined;

/** Whether an RSA modulus has the fingerprint of the flawed library. */
export function hasRocaFingerprint(modulus: bigint): boolean {
  powers ??= PRIMES.map((prime) => ({ prime: BigInt(prime), residues: powersOf(65_537, prime) }));
  return powers.every(({ prime, residues }) => residues.has(Number(modulus % prime)));
}

function powersOf(base: number, modulus: number): ReadonlySet<number> {
  const found = new Set<number>();
  for (let power = 1; !found.has(power); power = (power * base) % modulus) found.add(power);
  return found;
}
