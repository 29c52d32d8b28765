/** The request for a job as people type it elsewhere. */

export type JobRequest = {
  service: string
  runId: string | undefined
  run: boolean
  /** `file`: its value is sent out of a file, named after it. */
  parameters: readonly { name: string; value: string; file?: boolean }[]
}

export type Snippet = { kind: 'curl' | 'python' | 'shell' | 'json'; title: string; text: string }

/** For a shell that reads it literally, whatever is in it. */
export const shellQuoted = (text: string) =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

/** JSON's strings are Python's, but for characters beyond the basic plane, which JSON leaves as they are. */
const pythonQuoted = (text: string) => JSON.stringify(text)

export const fileName = (parameter: string) => `${parameter.toLowerCase()}.csv`

export function snippets(request: JobRequest, server: string, withToken: boolean): Snippet[] {
  return [
    { kind: 'curl', title: 'curl', text: curl(request, server, withToken) },
    { kind: 'python', title: 'Python', text: python(request, server, withToken) },
    { kind: 'shell', title: 'Command line', text: commandLine(request, server, withToken) },
    { kind: 'json', title: 'JSON', text: json(request) },
  ]
}

function curl({ service, runId, run, parameters }: JobRequest, server: string, withToken: boolean): string {
  const lines = [`curl -i ${shellQuoted(`${server}/api/${service}/async`)}`]
  if (withToken) lines.push('-H "Authorization: Bearer $SIDEREAL_TOKEN"')
  for (const { name, value, file = false } of parameters) {
    lines.push(
      file
        ? `-F ${shellQuoted(`${name}=@${fileName(name)}`)}`
        : `--form-string ${shellQuoted(`${name}=${value}`)}`,
    )
  }
  if (runId !== undefined) lines.push(`--form-string ${shellQuoted(`RUNID=${runId}`)}`)
  if (run) lines.push('--form-string PHASE=RUN')
  return lines.join(' \\\n    ')
}

function python({ service, runId, run, parameters }: JobRequest, server: string, withToken: boolean): string {
  const plain = parameters
    .filter(({ file = false }) => !file)
    .map(({ name, value }) => [name, value] as const)
  if (runId !== undefined) plain.push(['RUNID', runId])
  if (run) plain.push(['PHASE', 'RUN'])
  const files = parameters.filter(({ file = false }) => file)
  const lines = [...(withToken ? ['import os'] : []), 'import requests', '']
  lines.push(`server = ${pythonQuoted(server)}`, 'session = requests.Session()')
  if (withToken) lines.push('session.headers["Authorization"] = "Bearer " + os.environ["SIDEREAL_TOKEN"]')
  lines.push('', 'job = session.post(', `    f"{server}/api/${service}/async",`, '    data=[')
  for (const [name, value] of plain) lines.push(`        (${pythonQuoted(name)}, ${pythonQuoted(value)}),`)
  lines.push('    ],')
  if (files.length > 0) {
    lines.push('    files={')
    for (const { name } of files) {
      lines.push(`        ${pythonQuoted(name)}: open(${pythonQuoted(fileName(name))}, "rb"),`)
    }
    lines.push('    },')
  }
  lines.push(')', 'job.raise_for_status()', 'print(job.url)')
  if (run) {
    lines.push('', '# Waits until it has ended, a minute at a time.')
    lines.push('json = {"Accept": "application/json"}', 'while True:')
    lines.push('    state = session.get(job.url, params={"WAIT": 60}, headers=json).json()')
    lines.push(
      '    if state["phase"] not in ("PENDING", "QUEUED", "EXECUTING", "HELD", "SUSPENDED"):',
      '        break',
    )
    lines.push('for result in state["results"]:', '    print(result["href"])')
  }
  return lines.join('\n')
}

function commandLine(
  { service, runId, run, parameters }: JobRequest,
  server: string,
  withToken: boolean,
): string {
  const lines = [`sidereal job submit ${service}`]
  for (const { name, value, file = false } of parameters) {
    lines.push(shellQuoted(file ? `${name}=@${fileName(name)}` : `${name}=${value}`))
  }
  if (runId !== undefined) lines.push(`--run-id ${shellQuoted(runId)}`)
  lines.push(run ? '--wait' : '--hold', `--server ${shellQuoted(server)}`)
  const text = lines.join(' \\\n    ')
  return withToken ? `# after: sidereal login --server ${shellQuoted(server)}\n${text}` : text
}

function json({ service, runId, run, parameters }: JobRequest): string {
  const values = new Map<string, string | string[]>()
  for (const { name, value } of parameters) {
    const before = values.get(name) ?? []
    values.set(name, before.length === 0 ? value : [before, value].flat())
  }
  return JSON.stringify(
    { service, parameters: Object.fromEntries(values), ...(runId === undefined ? {} : { runId }), run },
    null,
    2,
  )
}
