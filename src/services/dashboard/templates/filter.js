// Filters the rows of a page by words. Without it the page is a plain list. It keeps nothing and asks nobody.
(() => {
  'use strict'
  const place = document.querySelector('[data-filter]')
  const rows = [...document.querySelectorAll('main tbody tr')]
  if (place === null || rows.length < 5) return
  const texts = rows.map((row) => row.textContent.replace(/\s+/g, ' ').toLowerCase())
  const sections = [...document.querySelectorAll('main section')]
  const what = place.dataset.filter
  const number = new Intl.NumberFormat('en')

  const label = document.createElement('label')
  label.htmlFor = 'filter'
  label.textContent = `Filter ${what}`
  const field = document.createElement('input')
  Object.assign(field, { type: 'search', id: 'filter', autocomplete: 'off', spellcheck: false })
  const count = document.createElement('p')
  count.setAttribute('role', 'status')
  count.setAttribute('aria-live', 'polite')
  place.append(label, field, count)
  place.hidden = false

  function filter() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean)
    let shown = 0
    rows.forEach((row, index) => {
      const matches = words.every((word) => texts[index].includes(word))
      row.hidden = !matches
      if (matches) shown += 1
    })
    for (const section of sections) section.hidden = section.querySelector('tbody tr:not([hidden])') === null
    count.textContent =
      words.length === 0 ? '' : `${number.format(shown)} of ${number.format(rows.length)} ${what} shown`
  }

  field.addEventListener('input', filter)
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || field.value === '') return
    field.value = ''
    filter()
  })
})()
