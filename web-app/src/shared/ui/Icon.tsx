import cx from './icon.module.css'

/** Strokes on a field of 24 by 24. */
const paths = {
  home: 'M4 11.5 12 4l8 7.5M6 10v10h4.5v-6h3v6H18V10',
  jobs: 'M4 6h16M4 12h16M4 18h10',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  fit: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  book: 'M12 6.500c-2-1.700-5-2-8-1.500v13c3-.5 6-.2 8 1.500 2-1.700 5-2 8-1.500V5c-3-.5-6-.2-8 1.500ZM12 6.500v13',
  image: 'M4 5h16v14H4ZM4 16l5-5 4 4 2.500-2.500L20 17M15.500 8.500v.1',
  compare: 'M8 4v16M8 4 4.500 7.500M8 4l3.500 3.500M16 20V4M16 20l-3.500-3.500M16 20l3.500-3.500',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM16 16l5 5',
  help: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM9.2 9.3a2.9 2.9 0 1 1 4.3 2.6c-1 .6-1.5 1.1-1.5 2.3M12 17.2v.1',
  user: 'M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM4.5 20.5c.7-4 3.7-6 7.5-6s6.8 2 7.5 6',
  admin: 'M12 3l7.5 3v5.500c0 4.5-3 8-7.5 9.5-4.5-1.5-7.5-5-7.5-9.500V6ZM9 12l2.2 2.200L15.2 10',
  menu: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6 6 18',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM12 7v5l3.5 2.500',
  bell: 'M6 16.500V11a6 6 0 0 1 12 0v5.500l1.5 1.500h-15ZM10 20.500h4',
  check: 'M5 12.500l4.5 4.500L19 7',
  warning: 'M12 4 2.8 20h18.400ZM12 10v4.500M12 17.300v.1',
  stop: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM5.8 5.800l12.4 12.4',
  trash: 'M5 7h14M10 7V4.500h4V7M6.5 7l1 13h9l1-13M10 11v5M14 11v5',
  copy: 'M9 9h11v11H9ZM15 9V4H4v11h5',
  download: 'M12 4v11M7.5 10.5 12 15l4.5-4.500M5 20h14',
  share: 'M14 5h5v5M19 5l-8 8M17 14v5H5V7h5',
  edit: 'M5 19l1-4L16.5 4.500l3 3L9 18ZM14.5 6.500l3 3',
  play: 'M8 5.500v13l10.5-6.500Z',
  pause: 'M8.5 6v12M15.5 6v12',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2.500v2M12 19.500v2M2.5 12h2M19.5 12h2M5.3 5.300l1.4 1.400M17.3 17.300l1.4 1.400M5.3 18.700l1.4-1.400M17.3 6.700l1.4-1.4',
  moon: 'M19.5 14.500A8 8 0 0 1 9.5 4.500a8 8 0 1 0 10 10Z',
  eye: 'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM12 9.200a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.600Z',
  system: 'M4 5h16v11H4ZM9 20h6M12 16v4',
  key: 'M8 11.500a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM11 12.5 20 4M16 7.500l3 3',
  refresh: 'M19.5 12a7.5 7.5 0 1 1-2.3-5.400M19.5 3.500v4h-4',
  file: 'M6 3.500h8l4.5 4.500v12.500H6ZM14 3.500V8h4.5',
  inbox: 'M4 13.5 6.5 5h11L20 13.500V19H4ZM4 13.500h5l1 2.500h4l1-2.500h5',
  lock: 'M6 11h12v9H6ZM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  offline:
    'M3 3l18 18M5 12.500c1-1 2.2-1.7 3.5-2.200M12 19.500v.1M2.5 9C4 7.6 5.7 6.6 7.5 6M19 12.500a10 10 0 0 0-3.2-2.100M21.5 9A14 14 0 0 0 11 5.100M8.5 16a5 5 0 0 1 5-1',
  chevron: 'M9 6l6 6-6 6',
  devices: 'M3 5h12v9H3ZM6 18h6M17 9h4v10h-4Z',
  logout: 'M14 5H5v14h9M11 12h10M17.5 8.5 21 12l-3.5 3.5',
  star: 'M12 3l2.3 6.700L21 12l-6.7 2.300L12 21l-2.3-6.700L3 12l6.7-2.300Z',
} as const

export type IconName = keyof typeof paths

/** A drawing beside words: never the only thing that says something. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      className={cx['icon']}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.7}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={paths[name]} />
    </svg>
  )
}
