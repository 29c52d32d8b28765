import cx from './shell.module.css'

export function Mark() {
  return (
    <svg className={cx['mark']} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#0d1426" />
      <path
        d="M6 22a12 12 0 0 1 20-12"
        fill="none"
        stroke="#5c98ff"
        strokeWidth="2.4"
        strokeLinecap="round"
      />
      <path d="M16 8l1.9 6.1L24 16l-6.1 1.9L16 24l-1.9-6.1L8 16l6.1-1.9z" fill="#fff" />
    </svg>
  )
}
