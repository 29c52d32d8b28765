import { send } from '@/shared/api/client'

/** A line of a job's log: when, and what. */
export type LogLine = { number: number; at: string; text: string }

const LINE = /^(\d{4}-\d\d-\d\dT\S+Z) (.*)$/

export function parseLine(line: string, number: number): LogLine {
  const [, at = '', text = line] = LINE.exec(line) ?? []
  return { number, at, text }
}

/** Whether a line tells of something that went wrong. A log has no levels: it is what the words say. */
export const isFailure = ({ text }: LogLine) =>
  /^Row \d+ \(/.test(text) || /\b(error|failed|failure|cannot|could not|lost|refused|truncated)\b/i.test(text)

/** Whole lines out of pieces of text, which end anywhere. */
export function lineReader(onLine: (line: string) => void): (piece: string) => void {
  let rest = ''
  return (piece) => {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  }
}

/** Reads the lines after the first `after`, and goes on with those to come until the job has ended. */
export async function readLog(
  id: string,
  { after, follow, signal }: { after: number; follow: boolean; signal: AbortSignal },
  onLines: (lines: LogLine[]) => void,
): Promise<void> {
  const query = new URLSearchParams({ after: String(after), follow: String(follow) })
  const response = await send(`/api/v1/jobs/${id}/log?${query.toString()}`, { signal })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  if (reader === undefined) return
  let number = after
  let lines: LogLine[] = []
  const take = lineReader((line) => {
    number += 1
    lines.push(parseLine(line, number))
  })
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    take(value)
    if (lines.length > 0) onLines(lines)
    lines = []
  }
}
