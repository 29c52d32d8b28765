import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/** A program that runs beside the tests, what it has written, and its end. */
export class Process {
  private constructor(
    private readonly child: ChildProcess,
    /** Both streams, so far. */
    readonly lines: string[],
    /** What the line by which it said that it can be asked had after its mark. */
    readonly said: string,
  ) {}

  /** Starts it, and waits for the line that has the mark. */
  static start(
    command: string,
    args: readonly string[],
    mark: string,
    options: SpawnOptions,
  ): Promise<Process> {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options })
    const lines: string[] = []
    return new Promise((resolve, reject) => {
      const read = (stream: Readable | null) => {
        if (stream === null) return
        createInterface(stream).on('line', (line) => {
          lines.push(line)
          const at = line.indexOf(mark)
          if (at >= 0) resolve(new Process(child, lines, line.slice(at + mark.length).trim()))
        })
      }
      read(child.stdout)
      read(child.stderr)
      child.once('error', reject)
      child.once('exit', (code) =>
        reject(new Error(`${command} ended with ${code} and did not say “${mark}”:\n${lines.join('\n')}`)),
      )
    })
  }

  /** Asks it to end, or ends it as a power cut would, and waits until it has. */
  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const ended = new Promise<void>((resolve) => this.child.once('exit', () => resolve()))
    this.child.kill(signal)
    await ended
  }

  /** Ends its standard input, by which it knows that nobody needs it any more, and waits for its end. */
  async close(): Promise<void> {
    if (this.child.exitCode !== null) return
    const ended = new Promise<void>((resolve) => this.child.once('exit', () => resolve()))
    this.child.stdin?.end()
    await ended
  }
}

/** Runs a program to its end; what it said. Fails if it does not end well. */
export function run(command: string, args: readonly string[], options: SpawnOptions): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  let said = ''
  child.stdout?.on('data', (data: Buffer) => (said += data.toString()))
  child.stderr?.on('data', (data: Buffer) => (said += data.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(said)
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}:\n${said}`))
    })
  })
}
