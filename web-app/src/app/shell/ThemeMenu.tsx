import { theme, themes, type Theme } from '@/shared/lib/preferences'
import { useStore } from '@/shared/lib/store'
import { Icon, type IconName } from '@/shared/ui/Icon'
import { BarMenu } from './BarMenu'

const themeWords: Record<Theme, { word: string; icon: IconName }> = {
  system: { word: 'As the system', icon: 'system' },
  light: { word: 'Light', icon: 'sun' },
  dark: { word: 'Dark', icon: 'moon' },
  night: { word: 'Night red', icon: 'eye' },
}

export function ThemeMenu() {
  const chosen = useStore(theme)
  return (
    <BarMenu label="Theme" icon={themeWords[chosen].icon}>
      {themes.map((name) => (
        <button
          key={name}
          type="button"
          role="menuitemradio"
          aria-checked={name === chosen}
          onClick={() => theme.set(name)}
        >
          <Icon name={themeWords[name].icon} />
          {themeWords[name].word}
        </button>
      ))}
    </BarMenu>
  )
}
