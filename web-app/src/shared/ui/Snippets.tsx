import { Tabs } from '@/shared/ui/kit/tabs'
import { serverUrl } from '@/shared/config'
import { fileName, snippets, type JobRequest } from '@/shared/lib/snippets'
import { CopyBlock } from './CopyBlock'
import { SaveText } from './SaveText'
import cx from './snippets.module.css'

/** The same job as code, and the files that the code sends. */
export function Snippets({ request, withToken }: { request: JobRequest; withToken: boolean }) {
  const files = request.parameters.filter(({ file = false }) => file)
  return (
    <>
      <Tabs defaultValue="curl" keepMounted={false}>
        <Tabs.List>
          {snippets(request, '', withToken).map(({ kind, title }) => (
            <Tabs.Tab key={kind} value={kind}>
              {title}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {snippets(request, serverUrl(''), withToken).map(({ kind, title, text }) => (
          <Tabs.Panel key={kind} value={kind} pt="sm">
            <CopyBlock text={text} label={title} />
          </Tabs.Panel>
        ))}
      </Tabs>
      {files.map(({ name, value }) => (
        <p key={name} className={cx['file']}>
          <SaveText name={fileName(name)} text={value} /> has the {name} that the code sends.
        </p>
      ))}
    </>
  )
}
