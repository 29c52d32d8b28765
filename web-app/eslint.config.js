import js from '@eslint/js'
import jsxA11y from 'eslint-plugin-jsx-a11y'
import reactHooks from 'eslint-plugin-react-hooks'
import tseslint from 'typescript-eslint'

/** Layers, from the top: app, routes, features, shared. A module imports from the layers below its own. */
const layers = {
  'src/routes/**': ['@/app/*'],
  'src/features/**': ['@/app/*', '@/routes/*', '@/features/*'],
  'src/shared/**': ['@/app/*', '@/routes/*', '@/features/*'],
}

const imports = (forbidden) => [
  'error',
  {
    patterns: [
      { group: ['../*'], message: 'Name another folder by @/, so that its layer shows.' },
      ...(forbidden.length > 0
        ? [{ group: forbidden, message: 'Only layers below: app, routes, features, shared.' }]
        : []),
    ],
  },
]

/** Of TypeScript in all folders. */
const typed = {
  '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
  '@typescript-eslint/no-confusing-void-expression': 'off',
  '@typescript-eslint/consistent-type-definitions': ['error', 'type'],
}

export default tseslint.config(
  { ignores: ['dist', 'src/shared/api/schema.gen.ts'] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['*.js', 'scripts/*.mjs', 'e2e/bench/*.mjs'] },
      },
    },
  },
  {
    files: ['**/*.{js,mjs}'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
  },
  {
    files: ['src/**/*.{ts,tsx}'],
    extends: [jsxA11y.flatConfigs.strict, reactHooks.configs.flat['recommended-latest']],
    rules: {
      'no-restricted-imports': imports([]),
      'no-restricted-syntax': [
        'error',
        {
          selector: 'JSXAttribute[name.name="style"]',
          message: 'Styles are CSS modules; only measured geometry may be inline, with a reason.',
        },
        { selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]', message: 'Text only.' },
        { selector: 'ExportDefaultDeclaration', message: 'Exports have names.' },
      ],
      'no-restricted-globals': ['error', { name: 'fetch', message: 'Use shared/api.' }],
      ...typed,
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  { files: ['e2e/**/*.ts'], rules: typed },
  ...Object.entries(layers).map(([folder, forbidden]) => ({
    files: [`${folder}/*.{ts,tsx}`],
    rules: { 'no-restricted-imports': imports(forbidden) },
  })),
)
