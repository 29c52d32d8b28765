import { FitsError } from './header'

/** What a gzip holds, never more than a limit, whatever it claims or unpacks to. `tooLarge` says what is beyond it. */
export async function gunzip(packed: Blob, most: number, tooLarge: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  const reader = packed.stream().pipeThrough(new DecompressionStream('gzip')).getReader()
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      size += part.value.length
      if (size > most) {
        void reader.cancel().catch(() => undefined)
        throw new FitsError(tooLarge)
      }
      parts.push(part.value)
    }
  } catch (error) {
    if (error instanceof FitsError) throw error
    throw new FitsError('Its gzip is broken.')
  }
  const out = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
