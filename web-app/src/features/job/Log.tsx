import { Button } from '@mantine/core'
import { useVirtualizer } from '@tanstack/react-virtual'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useDeferredValue, useEffect, useMemo, useRef, useState } from 'react'
import { SegmentedControl } from '@/shared/ui/kit/segmented'
import type { Job } from '@/shared/api/jobs'
import { hasEnded } from '@/shared/api/phases'
import { basePath } from '@/shared/config'
import { count, duration, plural } from '@/shared/lib/format'
import { CopyButton } from '@/shared/ui/CopyBlock'
import { Icon } from '@/shared/ui/Icon'
import { ErrorPanel, Notice } from '@/shared/ui/States'
import { isFailure, readLog, type LogLine } from './log'
import { useProgressive } from './useProgressive'
import cx from './log.module.css'

type Times = 'off' | 'clock' | 'since'
const route = getRouteApi('/jobs/$jobId')

/** The log from its first line, and each new one as it comes. */
export function Log({ job }: { job: Job }) {
  const { lines, error, again } = useLog(job)
  const { line: linked } = route.useSearch()
  const [times, setTimes] = useState<Times>('clock')
  const [find, setFind] = useState('')
  const sought = useDeferredValue(find)
  const [kind, setKind] = useState<'all' | 'failures'>('all')
  const [live, setLive] = useState(linked === undefined && !hasEnded(job.phase))
  const box = useRef<HTMLDivElement>(null)
  const start = Date.parse(lines[0]?.at ?? '')

  const shown = useMemo(() => {
    const text = sought.toLowerCase()
    const all = kind === 'failures' ? lines.filter(isFailure) : lines
    return text === '' ? all : all.filter((line) => line.text.toLowerCase().includes(text))
  }, [lines, sought, kind])
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtualizer = useVirtualizer({
    count: shown.length,
    getScrollElement: () => box.current,
    estimateSize: () => 24,
    overscan: 20,
  })
  useEffect(() => {
    if (live && shown.length > 0) virtualizer.scrollToIndex(shown.length - 1, { align: 'end' })
  }, [live, shown.length, virtualizer])
  useEffect(() => {
    const at = shown.findIndex(({ number }) => number === linked)
    if (at >= 0 && !live) virtualizer.scrollToIndex(at, { align: 'center' })
    // Once, when the line is there.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [linked, lines.length > (linked ?? 0)])

  if (error !== undefined && lines.length === 0) return <ErrorPanel error={error} retry={again} />
  if (lines.length === 0) {
    return (
      <Notice icon="file" title={hasEnded(job.phase) ? 'It has logged nothing' : 'Nothing logged yet'}>
        <p>{hasEnded(job.phase) ? 'This job has said nothing.' : 'Lines are here as they come.'}</p>
      </Notice>
    )
  }
  return (
    <div className={cx['log']}>
      <div className={cx['tools']}>
        <input
          type="search"
          className={cx['find']}
          placeholder="Find in the log"
          aria-label="Find in the log"
          value={find}
          onChange={({ currentTarget }) => setFind(currentTarget.value)}
        />
        <SegmentedControl
          size="xs"
          aria-label="Which lines"
          value={kind}
          onChange={(value) => setKind(value)}
          data={[
            { value: 'all', label: 'All' },
            { value: 'failures', label: 'Failures' },
          ]}
        />
        <SegmentedControl
          size="xs"
          aria-label="Times"
          value={times}
          onChange={(value) => setTimes(value)}
          data={[
            { value: 'off', label: 'No times' },
            { value: 'clock', label: 'UTC' },
            { value: 'since', label: 'Since start' },
          ]}
        />
        <span className={cx['count']}>
          {shown.length === lines.length
            ? plural(lines.length, 'line')
            : `${count(shown.length)} of ${plural(lines.length, 'line')}`}
        </span>
        <span className={cx['right']}>
          {!hasEnded(job.phase) && (
            <Button
              size="compact-sm"
              variant={live ? 'light' : 'default'}
              aria-pressed={live}
              onClick={() => setLive(!live)}
            >
              {live ? 'At the newest line' : 'Go to the newest line'}
            </Button>
          )}
          <CopyButton text={shown.map(({ text }) => text).join('\n')} />
          <Button
            component="a"
            size="compact-sm"
            variant="default"
            href={`${basePath}/api/v1/jobs/${job.jobId}/log`}
            download={`${job.jobId}.log`}
            leftSection={<Icon name="download" size={15} />}
          >
            Raw
          </Button>
        </span>
      </div>
      {error !== undefined && (
        <p className={cx['broken']} role="status">
          The log was cut off.{' '}
          <Button size="compact-sm" variant="subtle" onClick={again}>
            Go on
          </Button>
        </p>
      )}
      {/* A region that scrolls must be reachable by keyboard. */}
      <div
        ref={box}
        className={cx['lines']}
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        role="log"
        aria-label="Log"
        aria-live="off"
        onWheel={(event) => {
          if (event.deltaY < 0) setLive(false)
        }}
      >
        {/* eslint-disable-next-line no-restricted-syntax */}
        <div className={cx['all']} style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map(({ index, start: top, key }) => {
            const line = shown[index]
            if (line === undefined) return null
            return (
              <div
                key={key}
                ref={virtualizer.measureElement}
                data-index={index}
                className={cx['line']}
                data-linked={line.number === linked || undefined}
                // eslint-disable-next-line no-restricted-syntax
                style={{ transform: `translateY(${top}px)` }}
              >
                <Link
                  to="."
                  search={(old) => ({ ...old, line: line.number })}
                  replace
                  resetScroll={false}
                  className={cx['number']}
                  aria-label={`Link to line ${line.number}`}
                >
                  {line.number}
                </Link>
                {times !== 'off' && <time className={cx['time']}>{timeOf(line, times, start)}</time>}
                <span className={cx['text']}>{line.text}</span>
              </div>
            )
          })}
        </div>
      </div>
    </div>
  )
}

function timeOf({ at }: LogLine, times: Times, start: number): string {
  if (at === '') return ''
  return times === 'since' ? `+${duration(Date.parse(at) - start)}` : at.slice(11, 23)
}

function useLog({ jobId, phase }: Job) {
  const [lines, add] = useProgressive<LogLine>()
  const [error, setError] = useState<unknown>()
  const [turn, setTurn] = useState(0)
  const read = useRef(0)
  const ended = hasEnded(phase)
  const wasOpen = useRef(!ended)
  useEffect(() => {
    const abort = new AbortController()
    // A job that ends while it is followed ends its log too.
    readLog(jobId, { after: read.current, follow: wasOpen.current, signal: abort.signal }, (more) => {
      read.current = more.at(-1)?.number ?? read.current
      add(more)
    }).then(
      () => setError(undefined),
      (failure: unknown) => {
        if (!abort.signal.aborted) setError(failure)
      },
    )
    return () => abort.abort()
  }, [jobId, turn, add])
  return { lines, error, again: () => setTurn(turn + 1) }
}
