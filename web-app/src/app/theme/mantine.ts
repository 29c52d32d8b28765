import { createTheme, type MantineColorsTuple } from '@mantine/core'

const sky: MantineColorsTuple = [
  '#edf4ff',
  '#dce8ff',
  '#b4ceff',
  '#8ab6ff',
  '#5c98ff',
  '#3a80fb',
  '#1a62e0',
  '#1556c9',
  '#0f47aa',
  '#0b3a8c',
]

const dark: MantineColorsTuple = [
  '#e4eaf6',
  '#c3cde0',
  '#9ba8c1',
  '#76849f',
  '#4a5874',
  '#33405e',
  '#182136',
  '#111829',
  '#0a0f1c',
  '#060a14',
]

/** Its filled buttons have white words on shade 6 in all themes, which Mantine's own red is too light for. */
const red: MantineColorsTuple = [
  '#fff0f0',
  '#ffdede',
  '#ffb8b8',
  '#ff9090',
  '#ff6b6b',
  '#e84545',
  '#c92a2a',
  '#b12222',
  '#991b1b',
  '#7f1616',
]

export const mantineTheme = createTheme({
  primaryColor: 'sky',
  primaryShade: { light: 6, dark: 6 },
  colors: { sky, dark, red },
  fontFamily:
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', 'DejaVu Sans', sans-serif",
  fontFamilyMonospace: 'var(--mono)',
  defaultRadius: 8,
  cursorType: 'pointer',
  focusRing: 'auto',
  respectReducedMotion: true,
  components: {
    // A place of its own for the focus is nothing that a menu may have.
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
    // Not by its own function: that would bring it into the first script.
    Modal: {
      defaultProps: { closeButtonProps: { 'aria-label': 'Close' }, radius: 14, padding: 'lg' },
      styles: {
        content: { background: 'var(--raised)' },
        header: { background: 'inherit' },
        title: { fontWeight: 640 },
      },
    },
  },
})
