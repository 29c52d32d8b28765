import cx from './snippets.module.css'

/** Saves a text that the page has as a file. */
export function SaveText({ name, text }: { name: string; text: string }) {
  const save = () => {
    const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
    const link = document.createElement('a')
    link.href = url
    link.download = name
    link.click()
    // A browser that is busy begins to read it later.
    setTimeout(() => URL.revokeObjectURL(url), 60_000)
  }
  return (
    <button type="button" className={cx['save']} onClick={save}>
      {name}
    </button>
  )
}
