import { Button } from '@mantine/core'
import { useEffect, useId, useRef, useState } from 'react'
import { Checkbox } from '@/shared/ui/kit/inputs'
import type { ParameterInfo } from '@/shared/api/me'
import { isAnother, withRow, withoutRows, writesAll } from '@/shared/astro/edits'
import { textOf } from '@/shared/astro/encoding'
import type { Fixes } from '@/shared/astro/positions'
import { bytes, plural } from '@/shared/lib/format'
import { Icon } from '@/shared/ui/Icon'
import type { Checked } from './check'
import { ListRows } from './ListRows'
import { sample } from './sample'
import { useList, type ReadList } from './useList'
import cx from './submit.module.css'

type ListFieldProps = {
  info: ParameterInfo
  text: string
  error: string | undefined
  checked: Checked | undefined
  onText: (text: string) => void
  onRead: (read: ReadList | undefined) => void
}

const fixWords: Record<keyof Fixes, string> = {
  swap: 'RA and Dec are the other way round',
  hours: 'RA is in hours',
  drop: 'Leave out rows with faults, and those that are there twice',
}

/** More than this in one file is no list of positions. */
const MOST_BYTES = 60 * 1024 * 1024
/** A text box with more characters than this makes typing slow: the list is then shown only as read. */
const LONG = 400_000

/** A list of positions: pasted, dropped or typed, read while it is, each row with what is wrong with it. */
export function ListField({ info, text, error, checked, onText, onRead }: ListFieldProps) {
  const [fixes, setFixes] = useState<Fixes>({})
  const [over, setOver] = useState(false)
  const [refused, setRefused] = useState<string>()
  const picker = useRef<HTMLInputElement>(null)
  const area = useRef<HTMLTextAreaElement>(null)
  const id = useId()
  const { read, reading } = useList(text, fixes)
  const list = read?.list

  useEffect(() => {
    onRead(reading ? undefined : read)
  }, [read, reading, onRead])

  const take = (file: File | undefined) => {
    if (file === undefined) return
    if (file.size > MOST_BYTES) {
      setRefused(`${file.name} has ${bytes(file.size)}: too much for a list.`)
      return
    }
    setRefused(undefined)
    textOf(file).then(
      (content) => {
        setFixes({})
        onText(content)
      },
      () => setRefused(`${file.name} cannot be read.`),
    )
  }

  /** What was asked to be mended is in a text that is written anew. */
  const change = (next: string) => {
    if (list !== undefined && writesAll(list, fixes)) setFixes({})
    onText(next)
  }
  const goTo = (line: number) => {
    const element = area.current
    if (element === null) return
    const lines = text.split('\n')
    const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0)
    element.focus()
    element.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0))
    element.scrollTop = (line - 3) * 20
  }
  const long = text.length > LONG
  return (
    <div className={cx['list']}>
      <label className={cx['label']} htmlFor={id}>
        {info.name}
      </label>
      <div className={cx['meaning']}>
        One position a line, ICRS: degrees or sexagesimal, with commas, tabs or spaces, with a header or none;
        an id, sizes in arcmin and bands may be there too. A VOTable or JSON will do as well. Paste it or drop
        a file.
      </div>
      {/* A file can be chosen by a button too. */}
      {/* eslint-disable-next-line jsx-a11y/no-static-element-interactions */}
      <div
        className={cx['drop']}
        data-over={over || undefined}
        onDragOver={(event) => {
          event.preventDefault()
          setOver(true)
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault()
          setOver(false)
          take(event.dataTransfer.files[0])
        }}
      >
        {long ? (
          <p className={cx['long']}>
            {plural(list?.rows.length ?? 0, 'row')}, {bytes(text.length)}: too long to edit here. The rows are
            below.
          </p>
        ) : (
          <textarea
            ref={area}
            id={id}
            className={cx['area']}
            rows={7}
            spellCheck={false}
            autoCapitalize="off"
            autoCorrect="off"
            placeholder={'RA, DEC, OBJID\n250.4226, 36.4602, M13\n00:42:44.3, +41:16:09, M31'}
            aria-describedby={`${id}-state`}
            aria-invalid={(list?.problems ?? 0) > 0 || (list?.fault ?? error) !== undefined}
            value={text}
            onChange={({ currentTarget: { value } }) => {
              if (isAnother(text, value)) setFixes({})
              onText(value)
            }}
          />
        )}
        <div className={cx['listFoot']}>
          <span
            id={`${id}-state`}
            role="status"
            className={cx['state']}
            data-bad={(list?.problems ?? 0) > 0 || undefined}
          >
            <ListState read={read} reading={reading && text !== ''} />
          </span>
          <input
            ref={picker}
            type="file"
            hidden
            accept=".csv,.tsv,.ecsv,.txt,.dat,.vot,.votable,.xml,.json,.gz,text/*"
            aria-label="A file with a list"
            onChange={({ currentTarget }) => {
              take(currentTarget.files?.[0])
              currentTarget.value = ''
            }}
          />
          {text === '' && (
            <Button size="compact-sm" variant="subtle" onClick={() => onText(sample)}>
              Example
            </Button>
          )}
          {long && (
            <Button size="compact-sm" variant="subtle" onClick={() => onText('')}>
              Take it out
            </Button>
          )}
          <Button size="compact-sm" variant="default" onClick={() => picker.current?.click()}>
            Choose a file
          </Button>
        </div>
      </div>
      {(refused ?? list?.fault ?? error) !== undefined && (
        <div className={cx['fault']} role="alert">
          {refused ?? list?.fault ?? error}
        </div>
      )}
      {list && list.unused.length > 0 && (
        <div className={cx['meaning']}>Not used: {list.unused.slice(0, 12).join(', ')}.</div>
      )}
      {list && list.offers.length > 0 && (
        <fieldset className={cx['fixes']}>
          <legend>What may be meant</legend>
          {list.offers.map((fix) => (
            <Checkbox
              key={fix}
              label={fixWords[fix]}
              checked={fixes[fix] ?? false}
              onChange={({ currentTarget }) => setFixes({ ...fixes, [fix]: currentTarget.checked })}
            />
          ))}
        </fieldset>
      )}
      {list && list.rows.length > 0 && (
        <ListRows
          list={list}
          found={checked?.rows ?? noRows}
          onEdit={(index, edit) => change(withRow(text, list, fixes, index, edit))}
          onRemove={(indexes) => change(withoutRows(text, list, fixes, indexes))}
          {...(long || list.form !== 'text' ? {} : { onRow: goTo })}
        />
      )}
    </div>
  )
}

const noRows: Checked['rows'] = []

const formNames = { votable: 'VOTable', json: 'JSON list' }

function ListState({ read, reading }: { read: ReadList | undefined; reading: boolean }) {
  if (reading) return <>Reading…</>
  if (read === undefined || read.list.rows.length === 0) return <>No positions yet</>
  const { rows, problems, warnings } = read.list
  const from = read.list.form === 'text' ? '' : ` of a ${formNames[read.list.form]}`
  const parts = [plural(rows.length, 'position') + from]
  if (problems > 0) parts.push(plural(problems, 'fault'))
  if (warnings > 0) parts.push(`${warnings} there twice`)
  return (
    <>
      <Icon name={problems > 0 ? 'warning' : 'check'} size={16} />
      {parts.join(', ')}
    </>
  )
}
