import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core'

const patrol: MantineColorsTuple = [
  '#e9f5f6', '#d3e8ea', '#a5d0d4', '#74b7bd', '#4ea2aa', '#36959e', '#27868f', '#1a717a', '#0f5f67', '#044e55',
]

const dark: MantineColorsTuple = [
  '#d5dae1', '#b1b9c4', '#939dab', '#69737f', '#3a434e', '#2c343d', '#20272f', '#151a20', '#11151a', '#0b0e12',
]

export const theme = createTheme({
  primaryColor: 'patrol',
  primaryShade: 7,
  colors: { patrol, dark },
  // Fonts that machines already have: the console asks no other origin for anything.
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  headings: { fontWeight: '600', sizes: { h1: { fontSize: '1.25rem' }, h2: { fontSize: '0.9375rem' } } },
  defaultRadius: 'sm',
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Anchor: { defaultProps: { underline: 'hover', fz: 'inherit' } },
    Button: { defaultProps: { size: 'xs', fw: 500 } },
    Modal: { styles: { content: { background: 'var(--surface)' }, header: { background: 'var(--surface)' }, title: { fontWeight: 600 } } },
    NativeSelect: { defaultProps: { size: 'xs' } },
    Notification: { styles: { root: { background: 'var(--surface)' }, description: { color: 'var(--mantine-color-text)' } } },
    PasswordInput: { defaultProps: { size: 'sm' } },
    Table: { defaultProps: { verticalSpacing: 6, horizontalSpacing: 10, fz: 'sm', borderColor: 'var(--line)' } },
    TextInput: { defaultProps: { size: 'sm' } },
    Tooltip: { defaultProps: { openDelay: 200, events: { hover: true, focus: true, touch: true } } },
  },
})

/**
 * The colours that carry meaning: severities and states. Each is legible as text (4.5:1 at least) on the page and on
 * its own tint, in both schemes; the word always stands beside it.
 */
export const meaningfulColors: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#5b6570',
    '--severity-malicious': '#7c2d9e',
    '--severity-critical': '#b3161b',
    '--severity-high': '#a84300',
    '--severity-medium': '#755700',
    '--severity-low': '#1f5fa8',
    '--severity-unknown': '#56606b',
    '--state-good': '#1c7a3e',
    '--state-busy': '#1f5fa8',
    '--state-bad': '#b3161b',
    '--state-idle': '#56606b',
    '--surface': '#ffffff',
    '--surface-sunken': '#f6f8f9',
    '--row-hover': '#f6f8f9',
    '--line': '#e0e5e9',
  },
  dark: {
    '--mantine-color-dimmed': '#9aa5b1',
    '--severity-malicious': '#dc9bf5',
    '--severity-critical': '#ff8f8f',
    '--severity-high': '#ffab66',
    '--severity-medium': '#ecca5c',
    '--severity-low': '#8cc0ff',
    '--severity-unknown': '#a6b0bb',
    '--state-good': '#6fce8f',
    '--state-busy': '#8cc0ff',
    '--state-bad': '#ff8f8f',
    '--state-idle': '#a6b0bb',
    '--surface': '#1a2027',
    '--surface-sunken': '#12161b',
    '--row-hover': '#1f262e',
    '--line': '#2c343d',
  },
})
