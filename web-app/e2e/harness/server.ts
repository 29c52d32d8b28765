import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import type { components } from '@/shared/api/schema.gen'
import { Process, run } from './process.ts'
import { environment, program, type Settings } from './program.ts'

type Schema = components['schemas']
export type NewJob = Partial<Schema['NewJob']> & { service: string }

/** A server with the tests' images as its collection `sky`, and a client of it who is nobody's browser. */
export class Server {
  private token: string | undefined

  private constructor(
    readonly folder: string,
    private readonly settings: Settings,
    private process: Process,
    /** Where it listens: `http://127.0.0.1:PORT`. */
    readonly listens: string,
  ) {}

  /** What browsers call it. */
  get address(): string {
    return this.settings['SIDEREAL_PUBLIC_URL'] ?? this.listens
  }

  /** `sky`: a data folder with the catalogue. */
  static async start(settings: Settings = {}, sky = inject('sky')): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), 'sidereal-e2e-'))
    await cp(sky, join(folder, 'data'), { recursive: true })
    const process = await Server.serve(folder, { SIDEREAL_LISTEN: '127.0.0.1:0', ...settings })
    return new Server(folder, settings, process, process.said.replace(/\/$/, ''))
  }

  private static serve(folder: string, settings: Settings): Promise<Process> {
    return Process.start(program, ['serve'], 'listening on ', {
      cwd: folder,
      env: environment(folder, settings),
    })
  }

  /** What it has logged. */
  get log(): string {
    return this.process.lines.join('\n')
  }

  /** Ends it; its data stays. */
  async stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.process.end(signal)
  }

  /** Starts it again, where it was. */
  async again(settings: Settings = {}): Promise<void> {
    this.process = await Server.serve(this.folder, {
      SIDEREAL_LISTEN: new URL(this.listens).host,
      ...this.settings,
      ...settings,
    })
  }

  async remove(): Promise<void> {
    await this.stop('SIGKILL')
    await rm(this.folder, { recursive: true, force: true })
  }

  /** Another command of the program over the same data, beside the server. */
  command(...args: string[]): Promise<string> {
    const settings = { ...this.settings, SIDEREAL_SERVER: this.address }
    return run(program, args, { cwd: this.folder, env: environment(this.folder, settings) })
  }

  /** From now on the client is who this token is of. */
  as(token: string): void {
    this.token = token
  }

  /** Asks as a program does; any status. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    if (this.token !== undefined) headers.set('Authorization', `Bearer ${this.token}`)
    return fetch(this.listens + path, { redirect: 'manual', ...init, headers })
  }

  /** The JSON that a path answers with. */
  async read<T>(path: string): Promise<T> {
    const answer = await this.fetch(path, { headers: { Accept: 'application/json' } })
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as T
  }

  /** Makes a job; it runs at once unless told otherwise. */
  async job(job: NewJob): Promise<string> {
    const answer = await this.fetch('/api/v1/jobs', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ run: true, parameters: {}, ...job }),
    })
    if (answer.status !== 201) throw new Error(`no job: ${answer.status} ${await answer.text()}`)
    return ((await answer.json()) as Schema['ServiceJob']).jobId
  }

  /** As it is now. */
  find(id: string): Promise<Schema['ServiceJob']> {
    return this.read(`/api/v1/jobs/${id}`)
  }

  /** Waits by UWS's WAIT until the job is in this phase; fails if it ends in another. */
  async until(id: string, wanted: Schema['Phase']): Promise<Schema['ServiceJob']> {
    for (;;) {
      const job = await this.find(id)
      if (job.phase === wanted) return job
      if (['COMPLETED', 'ERROR', 'ABORTED', 'ARCHIVED'].includes(job.phase))
        throw new Error(`${job.phase} instead of ${wanted}: ${JSON.stringify(job)}`)
      await (await this.fetch(`/api/${job.service}/async/${id}?WAIT=50&PHASE=${job.phase}`)).text()
    }
  }

  /** Makes a job and waits until it has ended well. */
  async completed(job: NewJob): Promise<Schema['ServiceJob']> {
    return this.until(await this.job(job), 'COMPLETED')
  }

  async abort(id: string): Promise<void> {
    const { service } = await this.find(id)
    await this.fetch(`/api/${service}/async/${id}/phase`, {
      method: 'POST',
      body: new URLSearchParams({ PHASE: 'ABORT' }),
    })
  }
}
