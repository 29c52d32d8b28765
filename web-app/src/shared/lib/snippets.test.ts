import { describe, expect, it } from 'vitest'
import { shellQuoted, snippets, type JobRequest } from './snippets'

const request: JobRequest = {
  service: 'cutout',
  runId: "Orion's belt",
  run: true,
  parameters: [
    { name: 'POSITIONS', value: 'RA,DEC\n1,2\n', file: true },
    { name: 'BANDS', value: '90GHz' },
    { name: 'BANDS', value: '150 GHz' },
  ],
}
const of = (kind: string, withToken = false) =>
  snippets(request, 'https://sky.example.org', withToken).find((one) => one.kind === kind)?.text

describe('snippets', () => {
  it('posts the standard form by curl', () => {
    expect(of('curl')).toBe(`curl -i https://sky.example.org/api/cutout/async \\
    -F POSITIONS=@positions.csv \\
    --form-string BANDS=90GHz \\
    --form-string 'BANDS=150 GHz' \\
    --form-string 'RUNID=Orion'\\''s belt' \\
    --form-string PHASE=RUN`)
  })

  it('never has a token, only where to take it from', () => {
    expect(of('curl', true)).toContain('Bearer $SIDEREAL_TOKEN')
    expect(of('python', true)).toContain('os.environ["SIDEREAL_TOKEN"]')
    expect(of('shell', true)).toContain('sidereal login')
  })

  it('keeps repeated parameters in JSON', () => {
    expect(JSON.parse(of('json') ?? '')).toEqual({
      service: 'cutout',
      parameters: { POSITIONS: 'RA,DEC\n1,2\n', BANDS: ['90GHz', '150 GHz'] },
      runId: "Orion's belt",
      run: true,
    })
  })

  it('runs nothing that a name of somebody else says', () => {
    const name = '__proto__; rm -rf ~ #'
    const parameters = [
      { name, value: 'a\nb', file: true },
      { name, value: 'c' },
      { name: '__proto__', value: 'd' },
    ]
    const texts = snippets({ ...request, parameters }, 'https://sky.example.org', false)
    const [curl, , shell, json] = texts.map(({ text }) => text)
    expect(curl).toContain(`-F '${name}=@${name}.csv'`)
    expect(shell).toContain(`'${name}=@${name}.csv'`)
    expect(json).toContain('"__proto__": "d"')
  })

  it('holds back a job that is not to run', () => {
    const held = snippets({ ...request, run: false }, 'https://sky.example.org', false)
    expect(held.find(({ kind }) => kind === 'shell')?.text).toContain('--hold')
    expect(held.find(({ kind }) => kind === 'curl')?.text).not.toContain('PHASE')
  })
})

describe('shellQuoted', () => {
  it.each([
    ['plain', 'plain'],
    ['a b', "'a b'"],
    ["it's", "'it'\\''s'"],
    ['$(rm -rf ~)', "'$(rm -rf ~)'"],
    ['', "''"],
  ])('%s', (text, quoted) => expect(shellQuoted(text)).toBe(quoted))
})
