import { useNavigate } from '@tanstack/react-router'
import { useHotkeys } from '@/shared/lib/hotkeys'

export function useGoKeys() {
  const navigate = useNavigate()
  useHotkeys({
    'g h': () => void navigate({ to: '/' }),
    'g j': () => void navigate({ to: '/jobs' }),
    'g n': () => void navigate({ to: '/cutout' }),
    'g p': () => void navigate({ to: '/profile' }),
  })
}
