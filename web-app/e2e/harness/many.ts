/** Does something many times, some at a time; what came of each, in order. */
export async function inBatches<T>(
  number: number,
  atATime: number,
  act: (index: number) => Promise<T>,
): Promise<T[]> {
  const done: T[] = []
  let next = 0
  const worker = async () => {
    while (next < number) {
      const index = next
      next += 1
      done[index] = await act(index)
    }
  }
  await Promise.all(Array.from({ length: atATime }, worker))
  return done
}
